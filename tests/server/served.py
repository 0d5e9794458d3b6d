"""A whole ``kandong serve`` in processes of its own, for tests that need sockets, signals or death.

Owns: starting and ending it, and requests over real connections. Must not know: what is tested.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.inspection import GOLDEN
from tests.runtime.engine_processes import await_true, is_alive

QUICK_ENGINE = ("--precision", "f32", "--no-convert", "--no-keep-features")
TIED = ("--model", str(GOLDEN / "tied"), *QUICK_ENGINE)
CHAT = "/v1/chat/completions"


def long_question(max_tokens: int) -> dict[str, Any]:
    """Ask for an answer that ends by its length: so warm that words are drawn almost evenly."""
    messages = [{"role": "user", "content": "写"}]
    return {"messages": messages, "max_tokens": max_tokens, "temperature": 2.0, "top_p": 1, "top_k": 0, "seed": 1}


@dataclass
class Reply:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)


@dataclass
class Served:
    """A running service."""

    process: subprocess.Popen[str]
    url: str
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens."""
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def connect(self, timeout_s: float = 30.0) -> http.client.HTTPConnection:
        """Open a connection of its own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, timeout_s: float = 30.0
    ) -> Reply:
        """Send one request on a new connection; ``body`` may be bytes, or becomes JSON."""
        connection = self.connect(timeout_s)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        started = time.perf_counter()
        try:
            connection.request(method, path, data, {"Content-Type": "application/json"} | (headers or {}))
            answer = connection.getresponse()
            content = answer.read()
            return Reply(answer.status, dict(answer.headers), content, time.perf_counter() - started)
        finally:
            connection.close()

    def await_ready(self, within_s: float = 60.0) -> None:
        """Wait until it says that it is ready."""
        await_true(lambda: self.ask("GET", "/readyz").status == 200, within_s)

    def children(self) -> list[int]:
        """Give the processes below the first one, at any depth."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, IndexError):
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        found, frontier = [], [self.process.pid]
        while frontier:
            frontier = [child for child, parent in parents.items() if parent in frontier]
            found += frontier
        return found

    @contextmanager
    def stream(self, max_tokens: int, headers: dict[str, str] | None = None) -> Iterator[http.client.HTTPResponse]:
        """Ask for a long answer of chance words, as a stream; leaving the block closes the connection."""
        connection = self.connect()
        fields = long_question(max_tokens) | {"stream": True}
        connection.request("POST", CHAT, json.dumps(fields), {"Content-Type": "application/json"} | (headers or {}))
        answer = connection.getresponse()
        try:
            yield answer
        finally:
            answer.close()
            connection.close()

    def metric(self, name: str, headers: dict[str, str] | None = None) -> float:
        """Give one number of the metrics page."""
        lines = self.ask("GET", "/metrics", headers=headers).body.decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def engine_id(self) -> int:
        """Give the number of the engine's process."""
        for child in self.children():
            if b"kandong.runtime.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        raise AssertionError("there is no engine")


@contextmanager
def served(tmp_path: Path, *options: str, environ: dict[str, str] | None = None) -> Iterator[Served]:
    """Run ``kandong serve`` on a free port until the block ends; nothing of it is left then."""
    command = [sys.executable, "-m", "kandong.cli.main", "serve", "--port", "0", *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"KANDONG_HOME": str(tmp_path / "home")} | (environ or {}),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    service = Served(process, process.stdout.readline().strip())
    reader = threading.Thread(target=lambda: service.lines.extend(process.stderr or ()), daemon=True)
    reader.start()
    everyone: list[int] = []
    try:
        assert service.url, f"it did not start: {process.communicate()[1]}"
        yield service
        everyone = service.children()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        process.kill()
        process.wait()
        reader.join(5)
        process.stdout.close()
        process.stderr.close()
    await_true(lambda: not any(map(is_alive, everyone)), 5)
