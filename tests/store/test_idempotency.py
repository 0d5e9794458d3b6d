"""Answers kept under keys: one run for each key, and never another request's answer."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from kandong.errors import InProgressError, InputError, KeyReusedError
from kandong.store.database import Database
from kandong.store.idempotency import KEPT_S, IdempotentAnswers


@pytest.fixture
def kept(tmp_path: Path) -> IdempotentAnswers:
    return IdempotentAnswers(Database(tmp_path / "x.db"))


def test_first_one_runs_and_later_ones_get_its_answer(kept: IdempotentAnswers) -> None:
    assert kept.begin("a", "k", "1") is None
    with pytest.raises(InProgressError) as caught:
        kept.begin("a", "k", "1")
    assert (caught.value.http_status, caught.value.retry_after_s) == (409, 1)
    kept.finish("a", "k", b"answer")
    assert kept.begin("a", "k", "1") == b"answer"


def test_key_belongs_to_one_request_of_one_owner(kept: IdempotentAnswers) -> None:
    kept.begin("a", "k", "1")
    with pytest.raises(KeyReusedError) as caught:
        kept.begin("a", "k", "2")
    assert caught.value.http_status == 422
    kept.finish("a", "k", b"answer")
    with pytest.raises(KeyReusedError):
        kept.begin("a", "k", "2")
    assert kept.begin("b", "k", "2") is None


def test_failed_request_may_be_sent_again(kept: IdempotentAnswers) -> None:
    kept.begin("a", "k", "1")
    kept.abandon("a", "k")
    assert kept.begin("a", "k", "2") is None
    kept.finish("a", "k", b"answer")
    kept.abandon("a", "k")
    assert kept.begin("a", "k", "2") == b"answer"


def test_answers_are_kept_for_a_day(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db")
    kept = IdempotentAnswers(database)
    kept.begin("a", "k", "1")
    kept.finish("a", "k", b"answer")
    database.change("UPDATE idempotent_answers SET created_s = created_s - ?", (KEPT_S - 60,))
    assert kept.begin("a", "k", "1") == b"answer"
    database.change("UPDATE idempotent_answers SET created_s = created_s - 120")
    assert kept.begin("a", "k", "1") is None


def test_what_a_process_left_behind_is_forgotten(kept: IdempotentAnswers) -> None:
    kept.begin("a", "done", "1")
    kept.finish("a", "done", b"answer")
    kept.begin("a", "lost", "1")
    assert kept.forget_unfinished() == 1
    assert kept.begin("a", "done", "1") == b"answer"
    assert kept.begin("a", "lost", "1") is None


@pytest.mark.parametrize("key", ["", "x" * 256, "键", "a\nb", "a\0"])
def test_odd_keys_are_refused(kept: IdempotentAnswers, key: str) -> None:
    with pytest.raises(InputError):
        kept.begin("a", key, "1")


def test_of_many_at_once_one_runs(kept: IdempotentAnswers) -> None:
    results: list[object] = []
    barrier = threading.Barrier(32)

    def try_it() -> None:
        barrier.wait()
        try:
            results.append(kept.begin("a", "k", "1"))
        except InProgressError:
            results.append("busy")

    threads = [threading.Thread(target=try_it) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == ["None", *["busy"] * 31]
