"""A hundred cards through everything at once, and from outside: what is answered is what the plain path answers.

Everything at once: a process of its own, eight conversations at a time, features and prefixes kept, drafts, forms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kandong import Client, Kandong
from kandong.client import user_message
from tests.e2e.real_server import running_server

from .held_out import FOLDER, IS_HERE, MAX_TOKENS, NUM_CARDS, Asked, answer, asked_of, plain_answer

pytestmark = pytest.mark.skipif(not IS_HERE, reason="no trained miniature in this copy: make mini, make mini-ship")
AT_ONCE = 8


def everything() -> list[Asked]:
    """One question about each of the hundred cards, kinds in turn, so that all kinds and all cards come."""
    kinds = ("price", "transcribe", "date", "in_context", "json_four", "phone", "threshold", "original_price")
    by_file: dict[str, dict[str, Asked]] = {}
    for one in asked_of(*kinds, num_cards=NUM_CARDS):
        by_file.setdefault(one.file, {})[one.kind] = one
    return [asked[kinds[i % len(kinds)]] for i, (_, asked) in enumerate(sorted(by_file.items()))]


def test_a_hundred_cards_with_all_that_makes_the_engine_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANDONG_HOME", str(tmp_path))
    asked = everything()
    assert len(asked) == NUM_CARDS == 100
    wanted = [plain_answer(one) for one in asked]

    def ask(one: Asked) -> str:
        if one.kind == "transcribe":  # with a draft that is right but for a digit
            draft = one.right.replace("1", "7")
            given = kandong.ask(one.picture, one.question, max_tokens=MAX_TOKENS, draft_sources=(draft,))
            return given.text
        return answer(kandong, one)

    with (
        Kandong(FOLDER, precision="f32", process=True) as kandong,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        assert list(pool.map(ask, asked)) == wanted
        assert list(pool.map(ask, asked[::-1])) == wanted[::-1]  # now from the caches


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The real server with the miniature in float32."""
    with (
        running_server(tmp_path_factory.mktemp("home"), "mini", "--precision", "f32") as url,
        Client(url) as client,
    ):
        yield client


def test_the_service_answers_as_the_plain_path(service: Client) -> None:
    asked = asked_of("price", "date", num_cards=12)
    with ThreadPoolExecutor(4) as pool:
        given = pool.map(lambda one: service.ask(one.question, [one.picture], temperature=0, max_tokens=128), asked)
        assert list(given) == [plain_answer(one) for one in asked]
    one = asked[0]
    pieces = service.stream([user_message(one.question, [one.picture])], temperature=0, max_tokens=MAX_TOKENS)
    assert "".join(pieces) == plain_answer(one)


def test_the_service_keeps_a_further_question_in_context(service: Client) -> None:
    for one in asked_of("in_context", num_cards=4):
        first = user_message(one.question, [one.picture])
        said = service.chat([first], temperature=0, max_tokens=MAX_TOKENS)["choices"][0]["message"]
        further = user_message(one.further or "")
        answered = service.chat([first, said, further], temperature=0, max_tokens=MAX_TOKENS)
        assert answered["choices"][0]["message"]["content"] == plain_answer(one)


def test_the_service_marks_the_demonstration(service: Client) -> None:
    models = {model["id"]: model for model in service.models()}
    assert models["mini"]["kandong"]["is_demo"] is True, json.dumps(models, ensure_ascii=False)
