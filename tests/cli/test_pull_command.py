"""``kandong pull`` as a process: killed, interrupted, and what it prints."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kandong.cli.main import main
from tests.models.hub_server import COMMIT, HubServer, model_files

COMMAND = [sys.executable, "-m", "kandong.cli.main", "pull", "2b", "--source", "hf"]
NUM_KILLS = 10
NOT_NEEDED = {"README.md", ".gitattributes"}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """Serve a model of 8 MB, which a test may make slow enough to be cut in the middle."""
    with HubServer(model_files(shard_bytes=4_000_000)) as server:
        monkeypatch.setenv("KANDONG_HOME", str(tmp_path))
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield server


def start() -> subprocess.Popen[str]:
    return subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_bytes(hub: HubServer, process: subprocess.Popen[str], num_bytes: int) -> None:
    target = hub.behaviour.body_bytes + num_bytes
    deadline = time.monotonic() + 20
    while hub.behaviour.body_bytes < target and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


def assert_whole(hub: HubServer, folder: Path) -> None:
    names = {p.name for p in folder.iterdir() if "kandong-pull" not in p.name}
    assert names == hub.behaviour.files.keys() - NOT_NEEDED
    assert all((folder / name).read_bytes() == hub.behaviour.files[name] for name in names)


def test_a_pull_killed_at_ten_random_moments_ends_with_the_same_bytes(hub: HubServer, tmp_path: Path) -> None:
    hub.behaviour.pause_s = 0.003
    chance = random.Random(20)
    size_bytes = sum(len(c) for name, c in hub.behaviour.files.items() if name not in NOT_NEEDED)
    for _ in range(NUM_KILLS):
        process = start()
        wait_for_bytes(hub, process, chance.randrange(size_bytes // (2 * NUM_KILLS)))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "the pull ended before it was killed"
        assert not (tmp_path / "models" / "Qwen" / "Qwen3-VL-2B-Instruct" / "config.json").exists()
    hub.behaviour.pause_s = 0
    process = start()
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert_whole(hub, Path(stdout.strip()))
    reused_bytes = [int(h["range"][6:-1]) for h in hub.requested("safetensors") if "range" in h]
    assert max(reused_bytes) > 100_000
    # What is on its way when the process is killed is lost, and comes again.
    assert hub.behaviour.body_bytes < 2 * size_bytes


def test_ctrl_c_ends_with_130_and_says_that_it_goes_on(hub: HubServer) -> None:
    hub.behaviour.pause_s = 0.02
    process = start()
    wait_for_bytes(hub, process, 300_000)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (130, "")
    assert "goes on from there" in stderr
    assert "Traceback" not in stderr
    hub.behaviour.pause_s = 0
    assert subprocess.run(COMMAND, capture_output=True, check=False, timeout=60).returncode == 0
    assert [h for h in hub.requested("safetensors") if "range" in h]


def test_the_folder_is_on_stdout_and_one_line_a_file_on_stderr(
    hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pull"]) == 0
    out, err = capsys.readouterr()
    folder = tmp_path / "models" / "Qwen" / "Qwen3-VL-2B-Instruct"
    assert out == f"{folder}\n"
    lines = err.splitlines()
    assert lines[0].startswith("source: ")
    assert len(lines) == 1 + len(hub.behaviour.files.keys() - NOT_NEEDED)
    assert main(["pull", "2b"]) == 0
    assert "is there already: all 7 files are right" in capsys.readouterr().err


def test_json_names_model_folder_source_and_sizes(hub: HubServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pull", "2b", "--source", "hf", "--json"]) == 0
    pulled = json.loads(capsys.readouterr().out)
    assert list(pulled) == ["model", "folder", "source", "revision", "num_files", "bytes"]
    assert (pulled["model"], pulled["source"], pulled["revision"]) == ("Qwen/Qwen3-VL-2B-Instruct", "hf", COMMIT)
    assert pulled["bytes"] == sum(len(c) for name, c in hub.behaviour.files.items() if name not in NOT_NEEDED)
    assert main(["pull", "4b", "--source", "hf", "--revision", "nowhere", "--json"]) == 6
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["code"] == "download_refused"
    assert captured.err.startswith("error: 127.0.0.1 has no such model")


def test_the_bar_is_drawn_on_a_terminal_only(hub: HubServer) -> None:
    pty = pytest.importorskip("pty")
    hub.behaviour.pause_s = 0.001
    controller, terminal = pty.openpty()
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=terminal, env=os.environ | {"TERM": "xterm"})
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(controller, 65536)
        except OSError:  # how Linux tells that the other side has closed
            break
        if not piece:
            break
        shown += piece
    os.close(controller)
    assert process.communicate()[0].strip()
    assert process.returncode == 0
    assert b"MB/s" in shown
    assert b"tokenizer.json:" not in shown


def test_help_and_ask_load_no_http_library() -> None:
    script = "import sys, kandong.cli.main; print([m for m in ('httpx', 'kandong.models.pull') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
