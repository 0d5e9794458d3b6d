"""A real ``kandong serve`` with a small checkpoint and an API key, shared by the tests with other people's clients."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.server.served import TIED, Served, served


@dataclass(frozen=True)
class Endpoint:
    """What a client is told: the base URL of ``/v1``, and a key."""

    url: str
    key: str
    service: Served


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A service that answers."""
    folder = tmp_path_factory.mktemp("contract")
    command = [sys.executable, "-m", "kandong.cli.main", "keys", "create", "tests", "--scope", "submit"]
    environ = os.environ | {"KANDONG_HOME": str(folder / "home")}
    key = subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout.strip()
    with served(folder, *TIED, "--requests-per-minute", "1000000") as running:
        running.await_ready()
        yield Endpoint(f"{running.url}/v1", key, running)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture as a file."""
    from tests.server.asking import SQUARE

    path = tmp_path / "卡片.png"
    path.write_bytes(SQUARE)
    return path
