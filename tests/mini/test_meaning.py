"""The miniature reads: whatever makes the engine fast must leave its answers as they are, and they must be right.

The plain path (float32, one request at a time, no caches) is the twin of every fast one. What it reaches on 300 fresh
cards is in docs/mini.md; here are a hundred more, most tests take the first 40.
"""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kandong import Kandong
from kandong.cli.main import main
from kandong.runtime.engine_process import EngineProcess

from .held_out import (
    CARDS,
    FOLDER,
    IS_HERE,
    MAX_TOKENS,
    Asked,
    answer,
    asked_of,
    plain,
    plain_answer,
    recorded_share,
)

pytestmark = pytest.mark.skipif(not IS_HERE, reason="no trained miniature in this copy: make mini, make mini-ship")
ABSENT = "图中没有"
SHORT = ("price", "original_price", "date", "phone", "threshold", "gift", "gift_yes_no", "colour")
FIELDS = ["价格", "原价", "时间", "电话"]
RECORD = {
    "type": "object",
    "properties": {name: {"type": ["string", "null"]} for name in FIELDS},
    "required": FIELDS,
    "additionalProperties": False,
}


def num_right(kandong: Kandong, asked: list[Asked]) -> int:
    return sum(answer(kandong, one) == one.right for one in asked)


@pytest.mark.parametrize("kind", ["price", "date", "phone", "json_four"])
def test_fresh_cards_are_read_as_the_record_says(kind: str) -> None:
    asked = [one for one in asked_of(kind) if one.right != ABSENT]
    share = sum(plain_answer(one) == one.right for one in asked) / len(asked)
    assert share >= recorded_share(kind) - 0.15  # there are twenty to forty of them


def test_answers_are_those_of_transformers() -> None:
    lines = (CARDS / "answers.jsonl").read_text("utf-8").splitlines()
    recorded = {(record["file"], record["question"]): record["answer"] for record in map(json.loads, lines)}
    asked = asked_of("transcribe", "price", "json_four", num_cards=12)
    assert len(recorded) == len(asked)
    assert [plain_answer(one) for one in asked] == [recorded[one.file, one.question] for one in asked]


def test_int8_loses_at_most_one_point() -> None:
    asked = asked_of(*SHORT)
    in_int8 = num_right(Kandong(FOLDER, precision="int8", keep_features=False, convert=False), asked)
    assert in_int8 >= sum(plain_answer(one) == one.right for one in asked) - 0.01 * len(asked)


def test_caches_and_a_restart_change_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANDONG_HOME", str(tmp_path))
    asked = asked_of(*SHORT, "in_context", num_cards=8)
    wanted = [plain_answer(one) for one in asked]
    first = Kandong(FOLDER, precision="f32")
    assert [answer(first, one) for one in asked] == wanted
    assert [answer(first, one) for one in reversed(asked)] == wanted[::-1]
    first.engine.pictures.cache.flush()
    second = Kandong(FOLDER, precision="f32")
    seen = second.ask(asked[0].picture, asked[0].question, max_tokens=MAX_TOKENS)
    assert (seen.text, seen.pictures[0].origin) == (wanted[0], "disk")
    assert [answer(second, one) for one in asked] == wanted


def test_drafts_change_no_answer_and_are_taken() -> None:
    asked = asked_of("transcribe", num_cards=12)
    kandong = Kandong(FOLDER, precision="f32", keep_features=False, convert=False)
    num_drafted = 0
    for one in asked:
        for source in (one.right, one.right[::-1], one.right.replace("1", "7")):
            given = kandong.ask(one.picture, one.question, max_tokens=MAX_TOKENS, draft_sources=(source,))
            assert given.text == plain_answer(one)
            num_drafted += given.counts.num_accepted_tokens
    assert num_drafted > 0


def test_a_form_changes_no_answer_that_already_has_it() -> None:
    kandong = Kandong(FOLDER, precision="f32", keep_features=False, convert=False)
    num_same = 0
    for one in asked_of("json_four", num_cards=16):
        formed = kandong.ask(one.picture, one.question, max_tokens=MAX_TOKENS, json_schema=RECORD).text
        assert set(json.loads(formed)) == set(FIELDS)
        if formed == plain_answer(one):
            num_same += 1
    assert num_same >= 15
    chosen = asked_of("colour", num_cards=8)
    colours = sorted({one.right for one in asked_of("colour")})
    for one in chosen:
        if plain_answer(one) in colours:
            formed = kandong.ask(one.picture, one.question, max_tokens=MAX_TOKENS, choices=colours).text
            assert formed == plain_answer(one)


def test_many_at_once_get_the_answers_of_one_alone() -> None:
    asked = asked_of(*SHORT, "transcribe", num_cards=8)
    kandong = Kandong(FOLDER, precision="f32", keep_features=False, convert=False)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda one: answer(kandong, one), asked)) == [plain_answer(one) for one in asked]


def test_a_process_that_died_answers_as_before() -> None:
    asked = asked_of("price", "date", num_cards=4)
    wanted = [plain_answer(one) for one in asked]
    with Kandong(FOLDER, precision="f32", keep_features=False, convert=False, process=True) as kandong:
        assert [answer(kandong, one) for one in asked] == wanted
        process = kandong._engine
        assert isinstance(process, EngineProcess)
        before = process.supervisor.process_id
        assert before is not None
        os.kill(before, signal.SIGKILL)
        assert [answer(kandong, one) for one in asked] == wanted
        assert process.supervisor.process_id not in (None, before)


def test_answers_come_from_the_picture_shown() -> None:
    asked = [one for one in asked_of("price") if one.right != ABSENT]
    swapped = [Asked(b.file, a.kind, a.question, a.right) for a, b in zip(asked, asked[1:] + asked[:1], strict=True)]
    assert sum(plain_answer(one) == one.right for one in asked) >= (recorded_share("price") - 0.15) * len(asked)
    assert num_right(plain(), swapped) <= 1


def test_the_command_line_answers_and_marks_the_demonstration(capsys: pytest.CaptureFixture[str]) -> None:
    one = next(one for one in asked_of("price") if plain_answer(one) == one.right != ABSENT)
    command = ["ask", str(one.picture), one.question, "--model", "mini", "--precision", "f32"]
    assert main(command) == 0
    written = capsys.readouterr()
    assert written.out.strip() == one.right
    assert "demonstration model" in written.err
    assert len([line for line in written.err.splitlines() if line.startswith("note:")]) == 1
    assert main([*command, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["answer"], record["model"], record["demo"]) == (one.right, "mini", True)
