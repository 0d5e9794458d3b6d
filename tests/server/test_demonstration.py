"""The service on the demonstration model: known by its mark and not by a name, with samples that it can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kandong.models.catalogue import find_model
from kandong.runtime.supervisor import SupervisorOptions
from kandong.server.app import create_app
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.opening import close_services, open_services
from kandong.settings import Settings
from tests.marked_model import put_in_place
from tests.server.conftest import ENGINE


@pytest.mark.parametrize("name", ["mini", None])
def test_a_marked_model_is_shown_as_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings, name: str | None
) -> None:
    """A copy elsewhere carries the mark too."""
    put_in_place(tmp_path / "copied", monkeypatch)
    assert find_model("mini").is_demo
    gate = SupervisedEngine(name or str(tmp_path / "copied"), SupervisorOptions(engine=ENGINE)).start()
    gate.wait_ready(120)
    services = open_services(settings, gate)
    client = create_app(services).test_client()
    try:
        session: Any = client.get("/api/session").json
        assert session["model"] == {"name": name or "copied", "state": "ready", "is_demo": True}
        assert [sample["name"] for sample in session["samples"]] == ["price"]
        assert client.get(session["samples"][0]["url"]).data.startswith(b"\x89PNG")
        assert client.get("/api/system").json["model"]["is_demo"] is True  # type: ignore[index]
        models: Any = client.get("/api/models").json
        marked = {model["name"]: model["is_current"] for model in models["data"] if model["is_demo"]}
        assert marked == ({"mini": True} if name else {"mini": False, "copied": True})
    finally:
        gate.stop()
        close_services(services)
