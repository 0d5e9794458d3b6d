"""The bench itself: groups by memory, peers that are missing or fail, and the lines to and fro."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench import engine
from bench.engine import find_peers, main, plan_sessions
from bench.peer_process import PeerError, PeerProcess
from bench.peers.catalogue import PEERS, REFERENCE, PeerSpec

# A peer that answers as the protocol says, and fails where the prompt tells it to.
FAKE = """
import sys
from pathlib import Path
from bench.peers.protocol import Reply, serve
def ask(question):
    print("noise of a library")
    if question.picture.name in Path(sys.argv[1]).read_text():
        raise ValueError("no such picture")
    return Reply(20.0, 10.0, 30.0, None if question.max_tokens == 1 else 5.0, 275, question.max_tokens)
serve(lambda: (ask, {"fake": "1"}, "made up"))
"""


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    (tmp_path / "fake.py").write_text(FAKE, encoding="utf-8")
    (tmp_path / "refuses").write_text("", encoding="utf-8")
    return tmp_path


def spec_of(folder: Path, key: str, refuses: str = "refuses") -> PeerSpec:
    return PeerSpec(key, key, str(folder / "fake.py"), lambda _, __: [str(folder / refuses)], memory_gib=1.0)


def command_of(folder: Path) -> list[str]:
    return [sys.executable, str(folder / "fake.py"), str(folder / "refuses")]


def test_groups_fit_in_memory_and_each_has_the_reference() -> None:
    sessions = plan_sessions([spec for spec in PEERS if spec.is_default], 20.0)
    keys = [[spec.key for spec in session] for session in sessions]
    assert keys[0][0] == REFERENCE
    assert all(REFERENCE in session for session in keys)
    assert all(sum(spec.memory_gib for spec in session) <= 20 for session in sessions)
    measured = [key for session in keys for key in session if key != REFERENCE]
    assert sorted(measured) == sorted(spec.key for spec in PEERS if spec.is_default and spec.key != REFERENCE)


def test_a_peer_too_large_for_the_memory_still_has_its_group() -> None:
    sessions = plan_sessions([spec for spec in PEERS if spec.key in (REFERENCE, "transformers-f32")], 2.0)
    assert [[spec.key for spec in session] for session in sessions] == [[REFERENCE, "transformers-f32"]]


def test_the_reference_alone_is_a_group() -> None:
    assert [[s.key for s in session] for session in plan_sessions([PEERS[0]], 20.0)] == [[REFERENCE]]


def test_a_peer_that_is_not_set_up_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    found, skipped = find_peers([], tmp_path, tmp_path / "checkpoint")
    assert [spec.key for spec in found] == [REFERENCE, "kandong-f32"]
    assert skipped["llama.cpp"] == "llama.cpp Q8_0 is not set up: run `python -m bench.setup_peers llama.cpp`"
    assert set(skipped) == {spec.key for spec in PEERS if spec.is_default and spec.environment is not None}


def test_a_peer_answers_line_by_line_and_libraries_may_print(fake: Path) -> None:
    process = PeerProcess(command_of(fake), fake / "log")
    try:
        assert process.ready["versions"] == {"fake": "1"}
        assert process.ready_ms > 0
        assert process.ask(fake / "picture.png", "问", 1)["token_ms"] is None
        assert process.ask(fake / "picture.png", "问", 3)["num_generated_tokens"] == 3
    finally:
        process.close()
    assert "noise of a library" in (fake / "log").read_text("utf-8")


def test_an_error_of_a_peer_is_told_and_it_stays(fake: Path) -> None:
    (fake / "refuses").write_text("bad.png", encoding="utf-8")
    process = PeerProcess(command_of(fake), fake / "log")
    try:
        with pytest.raises(PeerError, match="no such picture"):
            process.ask(fake / "bad.png", "问", 1)
        assert process.ask(fake / "good.png", "问", 1)["first_token_ms"] == 30
    finally:
        process.close()


def test_a_peer_that_ends_at_its_start_is_an_error_that_names_its_log(fake: Path) -> None:
    with pytest.raises(PeerError, match=r"ended with code 3; see logs/peer\.log"):
        PeerProcess([sys.executable, "-c", "raise SystemExit(3)"], fake / "peer.log")


def test_a_whole_run_goes_on_without_a_peer_that_fails(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fake / "refuses-large").write_text("noise-1024.png", encoding="utf-8")
    peers = (spec_of(fake, REFERENCE), spec_of(fake, "other"), spec_of(fake, "failing", "refuses-large"))
    monkeypatch.setattr(engine, "PEERS", peers)
    monkeypatch.setattr(
        PeerSpec, "command", lambda spec, *_: [sys.executable, spec.module, *spec.arguments(fake, fake)]
    )
    monkeypatch.setenv("KANDONG_BENCH_HOME", str(fake / "home"))
    output = fake / "engine.json"
    assert main(["--checkpoint", str(fake), "--rounds", "2", "--output", str(output)]) == 0
    result = json.loads(output.read_text("utf-8"))
    assert set(result["peers"]) == {REFERENCE, "other"}
    assert result["skipped"] == {"failing": "failing failed: ValueError: no such picture"}
    for found in result["peers"].values():
        assert len(found["starts"]) == 2
        assert [(a["round"], a["side_px"]) for a in found["answers"]] == [(0, 512), (0, 1024), (1, 512), (1, 1024)]
