"""The journal tells who was in the engine; suspects become poison or are cleared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kandong.runtime import quarantine as module
from kandong.runtime.breaker import Breaker, RestartPolicy
from kandong.runtime.quarantine import NUM_SLOTS, Quarantine

A, B = b"a" * 32, b"b" * 32


def test_request_in_the_engine_at_a_death_is_suspect_and_at_two_poison(tmp_path: Path) -> None:
    first = Quarantine(tmp_path)
    first.enter("r1", A)
    first.enter("r2", B)
    first.leave("r2", B, is_cleared=True)
    second = Quarantine(tmp_path)  # the first did not close: it died
    assert (second.num_deaths(A), second.num_deaths(B)) == (1, 0)
    assert not second.is_poison(A)
    second.enter("r1", A)
    third = Quarantine(tmp_path)
    assert third.is_poison(A)
    assert Quarantine(tmp_path).is_poison(A)  # and stays so


def test_suspect_that_ends_well_is_cleared_and_a_cancelled_one_is_not(tmp_path: Path) -> None:
    Quarantine(tmp_path).enter("r1", A)
    second = Quarantine(tmp_path)
    second.enter("r1", A)
    second.leave("r1", A, is_cleared=False)
    assert second.num_deaths(A) == 1
    second.enter("r2", A)
    second.leave("r2", A, is_cleared=True)
    assert second.num_deaths(A) == 0
    assert Quarantine(tmp_path).num_deaths(A) == 0


def test_orderly_end_makes_no_suspects(tmp_path: Path) -> None:
    first = Quarantine(tmp_path)
    first.enter("r1", A)
    first.close()
    assert Quarantine(tmp_path).num_deaths(A) == 0


def test_journal_survives_a_kill(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from kandong.runtime.quarantine import Quarantine;"
        "Quarantine(Path(sys.argv[1])).enter('r1', b'a' * 32); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode != 0
    assert Quarantine(tmp_path).num_deaths(A) == 1


def test_number_of_requests_and_suspects_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SUSPECTS", 10)
    full = Quarantine(tmp_path)
    for i in range(NUM_SLOTS):
        assert not full.is_full
        full.enter(f"r{i}", i.to_bytes(32, "big") if i else A)
    assert full.is_full
    after = Quarantine(tmp_path)
    assert sum(after.num_deaths(i.to_bytes(32, "big")) for i in range(NUM_SLOTS)) <= 10
    assert not after.is_full


def test_damaged_list_and_old_suspects_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Quarantine(tmp_path).enter("r1", A)
    assert Quarantine(tmp_path).num_deaths(A) == 1
    monkeypatch.setattr(module, "FORGET_AFTER_S", -1.0)
    assert Quarantine(tmp_path).num_deaths(A) == 0
    (tmp_path / "suspects.json").write_text("{")
    assert Quarantine(tmp_path).num_deaths(A) == 0


def test_breaker_opens_at_three_deaths_in_its_window_and_rests_longer_each_time() -> None:
    breaker = Breaker(RestartPolicy(first_delay_s=0.1, cool_down_s=60, max_cool_down_s=100))
    seen = []
    for now in (0.0, 10.0, 20.0, 90.0, 170.0):
        breaker.record_death(now)
        seen.append((breaker.is_open, breaker.delay_s()))
    assert seen == [(False, 0.1), (False, 1.0), (True, 60.0), (True, 100.0), (True, 100.0)]
    breaker.record_death(1000.0)
    assert (breaker.is_open, breaker.delay_s()) == (False, 0.1)
