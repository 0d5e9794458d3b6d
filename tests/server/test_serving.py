"""``kandong serve`` as it is run: ready in seconds, refused when unsafe, an orderly end, nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kandong import Client
from kandong.cli.main import main
from tests.inspection import GOLDEN
from tests.runtime.engine_processes import await_true, is_alive
from tests.server.served import CHAT, QUICK_ENGINE, TIED, long_question, served

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends processes by signals")


@pytest.mark.parametrize(("server", "transport"), [("gunicorn", "ipc"), ("waitress", "tcp")])
def test_sigterm_refuses_new_work_and_lets_answers_end(tmp_path: Path, server: str, transport: str) -> None:
    with served(tmp_path, *TIED, "--server", server, "--engine-transport", transport) as service:
        assert service.ask("GET", "/readyz").status == 503  # it is loading
        service.await_ready()
        await_true(lambda: any(line.startswith("model: tied is ready") for line in service.lines), 10)
        assert service.ask("GET", "/api/session").json["model"] == {"name": "tied", "state": "ready"}
        assert service.ask("GET", "/").headers["Content-Type"].startswith("text/html")
        engine = service.engine_id()
        with service.stream(1500) as stream:
            head = stream.read(400)
            service.process.send_signal(signal.SIGTERM)
            await_true(lambda: service.ask("GET", "/readyz").status == 503, 5)
            refused = service.ask("POST", CHAT, long_question(1))
            text = (head + stream.read()).decode()
        assert refused.status == 503
        assert int(refused.headers["Retry-After"]) >= 1
        assert text.endswith("data: [DONE]\n\n")
        assert '"finish_reason":"length"' in text
        ended = time.monotonic()
        assert service.process.wait(15) == 0
        assert time.monotonic() - ended < 8
        assert not is_alive(engine)
    assert not [line for line in service.lines if "Traceback" in line]


def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    with served(tmp_path, *TIED, "--drain-s", "60") as service:
        service.await_ready()
        everyone = service.children()
        with service.stream(8000) as stream:
            stream.read(400)
            service.process.send_signal(signal.SIGINT)
            await_true(lambda: service.ask("GET", "/readyz").status == 503, 5)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(5) == 128 + signal.SIGTERM
        await_true(lambda: not any(map(is_alive, everyone)), 5)


def test_dead_web_process_is_replaced_and_a_dead_parent_leaves_nobody(tmp_path: Path) -> None:
    with served(tmp_path, *TIED) as service:
        service.await_ready()
        engine = service.engine_id()
        for number in (signal.SIGTTIN, signal.SIGUSR2):  # gunicorn would make another web process
            service.process.send_signal(number)
        (worker,) = [child for child in service.children() if parent_of(child) == service.process.pid]
        os.kill(worker, signal.SIGKILL)
        await_true(lambda: not is_alive(engine), 5)
        await_true(lambda: [c for c in service.children() if c != worker and is_alive(c)], 10)
        service.await_ready()
        assert service.engine_id() != engine
        everyone = service.children()
        service.process.kill()
        await_true(lambda: not any(map(is_alive, everyone)), 5)


def test_our_client_gets_its_answer_though_the_web_process_dies_meanwhile(tmp_path: Path) -> None:
    with (
        served(tmp_path, *TIED) as service,
        Client(service.url, max_retries=8) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        service.await_ready()
        (worker,) = [child for child in service.children() if parent_of(child) == service.process.pid]
        question = long_question(1200)
        answer = pool.submit(client.chat, question.pop("messages"), **question)
        await_true(lambda: service.metric("kandong_admission_in_flight") > 0, 10)
        os.kill(worker, signal.SIGKILL)
        assert answer.result(60)["choices"][0]["finish_reason"] in ("stop", "length")
        assert service.ask("GET", "/healthz").status == 200


def parent_of(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[1])


def test_starts_without_weights_and_with_them_once_they_are_there(tmp_path: Path) -> None:
    with served(tmp_path, "--model", "example/tied", *QUICK_ENGINE) as service:
        assert service.ask("GET", "/api/session").json["model"] == {"name": None, "state": "missing"}
        assert "weights" in service.ask("GET", "/readyz").json["error"]["message"]
        refused = service.ask("POST", CHAT, long_question(1))
        assert refused.status == 503
        assert "kandong pull" in refused.json["error"]["hint"]
        assert service.ask("GET", "/api/models").json["data"][0]["state"] == "available"
        folder = tmp_path / "home" / "models" / "example" / "tied"
        shutil.copytree(GOLDEN / "tied", folder)  # as `kandong pull` would
        service.await_ready()
        assert service.ask("GET", "/api/session").json["model"] == {"name": "example/tied", "state": "ready"}
    assert any("its weights are not here" in line for line in service.lines)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--host", "0.0.0.0"), 2, "without a key"),
        (("--host", "::"), 2, "without a key"),
        (("--host", "no.such.host.invalid"), 2, "without a key"),
        (("--port", "70000"), 2, "--port is 70000"),
        (("--drain-s", "-1"), 2, "--drain-s is -1"),
        (("--config", "none.toml"), 2, "cannot be read"),
    ],
)
def test_unsafe_and_wrong_settings_stop_the_start(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...], code: int, words: str
) -> None:
    assert main(["serve", *options]) == code
    told = capsys.readouterr()
    assert words in told.err
    assert len(told.err.splitlines()) == 1
    assert told.out == ""


def test_taken_port_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    assert f"Port {port} is in use" in capsys.readouterr().err


def test_damaged_database_stops_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kandong.db").write_bytes(b"no database" * 100)
    assert main(["serve", "--port", "0", "--data-folder", str(tmp_path)]) == 6
    assert "database" in capsys.readouterr().err
