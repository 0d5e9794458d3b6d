"""Clients that go away without a word, under waitress; ``tests/server/test_pressure.py`` has the same for gunicorn."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.runtime.engine_processes import await_true
from tests.server.served import CHAT, TIED, Served, long_question, served


def num_running(service: Served) -> int:
    time.sleep(0.25)  # asked without a pause, the service would refuse it as too much
    queue = service.ask("GET", "/api/system").json["queue"]
    return int(queue["running"] + queue["waiting"])


def test_work_stops_when_nobody_listens(tmp_path: Path) -> None:
    with served(tmp_path, *TIED, "--server", "waitress") as service:
        service.await_ready()
        for is_stream in (False, True):
            connection = service.connect()
            body = json.dumps(long_question(20_000) | {"stream": is_stream})
            connection.request("POST", CHAT, body, {"Content-Type": "application/json"})
            await_true(lambda: num_running(service) == 1)
            time.sleep(0.1)
            connection.close()
            assert await_true(lambda: num_running(service) == 0) < 4.0  # two seconds, and what a loaded machine adds
