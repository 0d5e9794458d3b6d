"""A measuring process seen from outside: starting it, asking it, and what the system says about it.

Owns: the other end of ``peers/protocol.py``, the clock of a start, the peak memory. Must not know: what is compared.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.home import ROOT

_EXIT_TIMEOUT_S = 60


class PeerError(Exception):
    """A peer ended, or answered with an error; the message says what it said."""


class PeerProcess:
    """A running peer. ``ready_ms`` counts from the start of the process, its imports included."""

    def __init__(self, command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        """Start it and wait until it is ready. Raises PeerError if it is never."""
        self._log = log
        paths = [str(ROOT / "src"), str(ROOT)] if _is_ours(command) else [str(ROOT)]
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        settings = {**os.environ, **offline, **(environment or {}), "PYTHONPATH": os.pathsep.join(paths)}
        self.started = time.perf_counter()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=settings
            )
        try:
            self.ready = self._read()
        except PeerError:
            self.close()
            raise
        self.ready_ms = (time.perf_counter() - self.started) * 1e3

    def ask(self, picture: Path, prompt: str, max_tokens: int) -> dict[str, Any]:
        """Ask and wait for the reply, see ``protocol.Reply``. Raises PeerError."""
        return self._exchange({"picture": str(picture), "prompt": prompt, "max_tokens": max_tokens})

    def do(self, task: str, **fields: Any) -> dict[str, Any]:
        """Have a task done, see ``protocol.serve_tasks``. Raises PeerError."""
        return self._exchange({"task": task, **fields})

    def _exchange(self, fields: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(fields, ensure_ascii=False) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise PeerError(f"ended with code {self._process.wait()}; see logs/{self._log.name}") from None
        return self._read()

    def peak_bytes(self) -> int | None:
        """Read its largest resident memory so far; see the function of this name."""
        return peak_bytes(self._process.pid)

    def close(self) -> None:
        """End it by closing its input, and at last by force."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            self._process.stdin.close()
        try:
            self._process.wait(timeout=_EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(f"ended with code {self._process.wait()}; see logs/{self._log.name}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise PeerError(str(reply["error"]))
        return reply


def peak_bytes(pid: int) -> int | None:
    """Read a process's largest resident memory so far, mapped files included, where the system tells it (Linux)."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text("ascii").splitlines() if status.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), None)


def _is_ours(command: Sequence[str]) -> bool:
    return any(part.startswith("bench.peers.ours") for part in command)
