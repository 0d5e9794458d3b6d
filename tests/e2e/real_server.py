"""The real server on a small checkpoint, for tests that come from outside.

Owns: starting it, waiting until its model answers, ending it. Must not know: what is asked of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RANDOM_WEIGHTS = ROOT / "tests" / "golden" / "tied"
_READY_WITHIN_S = 120.0
_END_WITHIN_S = 30.0


@contextmanager
def running_server(home: Path, model: Path | str | None = RANDOM_WEIGHTS, *options: str) -> Iterator[str]:
    """Run ``kandong serve`` on a free port of loopback; gives its address once the model is loaded.

    ``model`` ``None``: the server's own choice, and nothing is waited for. ``home`` keeps all that it writes.
    """
    command = [sys.executable, "-m", "kandong.cli.main", "serve", "--port", "0", *options]
    if model is not None:
        command += ["--model", str(model)]
    environment = os.environ | {"KANDONG_HOME": str(home), "PYTHONPATH": str(ROOT / "src")}
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, text=True)
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            if not url:
                raise RuntimeError((home / "server.log").read_text("utf-8"))
            if model is not None:
                _wait_until_ready(url)
            yield url
        finally:
            server.terminate()
            try:
                server.wait(_END_WITHIN_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            if server.stdout is not None:
                server.stdout.close()


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while True:
        with urllib.request.urlopen(f"{url}/api/session", timeout=10) as reply:
            state = json.load(reply)["model"]["state"]
        if state == "ready":
            return
        if state in ("failed", "missing") or time.monotonic() > deadline:
            raise RuntimeError(f"The model is {state}.")
        time.sleep(0.2)
