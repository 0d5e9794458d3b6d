"""``kandong serve`` as it is run: ready in seconds, refused when unsafe, an orderly end, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runtime.engine_processes import await_true, is_alive
from tests.server.served import TIED, Served, served

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends processes by signals")
SERVERS = [("gunicorn", "ipc"), ("waitress", "tcp")]


@pytest.mark.parametrize(("server", "transport"), SERVERS)
def test_it_becomes_ready_and_ends_in_order(tmp_path: Path, server: str, transport: str) -> None:
    with served(tmp_path, *TIED, "--server", server, "--engine-transport", transport) as service:
        assert service.ask("GET", "/healthz").json == {"status": "ok"}
        service.await_ready()
        session = service.ask("GET", "/api/session").json
        assert session["model"] == {"name": "tied", "state": "ready"}
        system = service.ask("GET", "/api/system").json
        assert system["memory"]["engine_bytes"] > 10 * 2**20
        assert system["caches"]["features"] == {"hits": 0, "misses": 0, "bytes": 0}
        assert service.ask("GET", "/").headers["Content-Type"].startswith("text/html")
        engine_id = service.engine_id()
        started = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(15) == 0
        assert time.monotonic() - started < 10
        assert not is_alive(engine_id)
    assert [line for line in service.lines if line.startswith("model: tied is ready")]
    assert not [line for line in service.lines if "Traceback" in line]


@pytest.mark.parametrize("server", ["gunicorn", "waitress"])
def test_killed_parent_leaves_no_orphan(tmp_path: Path, server: str) -> None:
    with served(tmp_path, *TIED, "--server", server) as service:
        service.await_ready()
        everyone = service.children()
        assert len(everyone) >= 1
        service.process.kill()
        assert await_true(lambda: not any(map(is_alive, everyone)), 5) < 5


def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    with served(tmp_path, *TIED, "--drain-s", "60") as service, half_a_request(service):
        everyone = service.children()
        service.process.send_signal(signal.SIGTERM)
        await_true(lambda: service.ask("GET", "/readyz").status == 503, 5)
        assert service.process.poll() is None
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(5) == 128 + signal.SIGTERM
        await_true(lambda: not any(map(is_alive, everyone)), 5)


def half_a_request(service: Served) -> socket.socket:
    """Be a client whose request does not come to its end."""
    connection = socket.create_connection(("127.0.0.1", service.port))
    connection.sendall(b"POST /api/models/use HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    return connection


def test_dead_web_process_is_replaced_with_its_engine(tmp_path: Path) -> None:
    with served(tmp_path, *TIED) as service:
        service.await_ready()
        before = service.engine_id()
        (worker,) = [c for c in service.children() if c != before and parent_of(c) == service.process.pid]
        os.kill(worker, signal.SIGKILL)
        await_true(lambda: not is_alive(before), 5)
        await_true(lambda: [c for c in service.children() if c != worker], 10)
        service.await_ready()
        assert service.engine_id() != before


def parent_of(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[1])


def test_ready_means_ready_through_death_and_standstill(tmp_path: Path) -> None:
    with served(tmp_path, *TIED) as service:
        assert service.ask("GET", "/readyz").status == 503  # it is loading
        service.await_ready()
        engine = service.engine_id()
        os.kill(engine, signal.SIGSTOP)
        await_true(lambda: service.ask("GET", "/readyz").status == 503, 5)
        answer = service.ask("GET", "/readyz")
        assert "does not answer" in answer.json["error"]["message"]
        assert int(answer.headers["Retry-After"]) >= 1
        assert service.ask("GET", "/healthz").status == 200
        os.kill(engine, signal.SIGKILL)
        service.await_ready()


def test_starts_without_weights(tmp_path: Path) -> None:
    with served(tmp_path, "--model", "Qwen/Qwen3-VL-8B-Instruct", environ={"HF_HOME": str(tmp_path)}) as service:
        session = service.ask("GET", "/api/session").json
        assert session["model"] == {"name": None, "state": "missing"}
        assert "weights" in service.ask("GET", "/readyz").json["error"]["message"]
        assert service.ask("GET", "/api/models").json["data"][0]["state"] == "available"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "0.0.0.0"), "without a key"),
        (("--host", "::"), "without a key"),
        (("--host", "no.such.host.invalid"), "without a key"),
        (("--port", "70000"), "--port is 70000"),
        (("--drain-s", "-1"), "--drain-s is -1"),
        (("--config", "none.toml"), "cannot be read"),
    ],
)
def test_unsafe_and_wrong_settings_stop_the_start(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    ended = run_serve(tmp_path, *options)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_serve(tmp_path, "--port", str(port))
    assert ended.returncode == 2
    assert f"Port {port} is in use" in ended.stderr


def run_serve(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kandong.cli.main", "serve", *options]
    environ = os.environ | {"KANDONG_HOME": str(tmp_path)}
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environ)


def test_damaged_database_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "kandong.db").write_bytes(b"no database" * 100)
    ended = run_serve(tmp_path, "--port", "0")
    assert ended.returncode == 6
    assert "database" in ended.stderr


def test_public_address_is_served_once_there_is_a_key(tmp_path: Path) -> None:
    environ = os.environ | {"KANDONG_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "kandong.cli.main", "keys", "create", "me", "--scope", "read"]
    key = subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout.strip()
    with served(tmp_path, *TIED, "--host", "0.0.0.0") as service:
        service.await_ready()
        assert service.ask("GET", "/api/system").status == 401
        assert service.ask("GET", "/api/system", headers={"Authorization": f"Bearer {key}"}).status == 200
        revoke = [*command[:3], "keys", "revoke", "me"]
        assert "revoked" in subprocess.run(revoke, capture_output=True, text=True, check=True, env=environ).stdout
        assert service.ask("GET", "/api/system", headers={"Authorization": f"Bearer {key}"}).status == 401


def test_slow_clients_do_not_keep_others_waiting(tmp_path: Path) -> None:
    options = ("--read-timeout-s", "2", "--web-threads", "8", "--reserved-threads", "4")
    with served(tmp_path, *TIED, *options) as service, contextlib.ExitStack() as closing:
        for _ in range(40):  # these say nothing at all
            closing.enter_context(socket.create_connection(("127.0.0.1", service.port)))
        slow = [closing.enter_context(half_a_request(service)) for _ in range(8)]
        time.sleep(0.3)
        assert max(service.ask("GET", "/healthz").seconds for _ in range(20)) < 1.0
        for connection in slow:
            connection.settimeout(10)
            assert connection.recv(64).startswith(b"HTTP/1.1 408")
        assert service.ask("GET", "/api/session").status == 200
