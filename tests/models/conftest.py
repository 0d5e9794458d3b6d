"""A hub on this machine, and an environment that knows no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kandong.models import web
from tests.models.hub_server import HubServer, model_files


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """Serve a model as both hubs, with short waits between tries and a model folder below ``tmp_path``."""
    monkeypatch.setattr(web, "_FIRST_WAIT_S", 0.01)
    for variable in ("HF_TOKEN", "MODELSCOPE_API_TOKEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    monkeypatch.setenv("KANDONG_HOME", str(tmp_path / "home"))
    with HubServer(model_files()) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.url)
        yield server
