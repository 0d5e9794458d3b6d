"""The self-test: what counts as right, and that it tells a model that reads from one that does not."""

from __future__ import annotations

import json

import pytest

from kandong.cli.main import main
from kandong.models.demo import DEMO_MODEL
from kandong.reading.images import decode_picture
from kandong.runtime.selftest import (
    Outcome,
    bundled_questions,
    card_bytes,
    character_error_rate,
    is_passed,
    names_only,
    sample_questions,
    verdict,
)
from tests.inspection import GOLDEN
from tests.mini.held_out import IS_HERE


@pytest.mark.parametrize(
    ("answer", "number", "expected"),
    [
        ("85", "85", True),
        ("价格是85元。", "85", True),
        ("¥85.00", "85", True),
        ("８５元", "85", True),
        ("1,280元", "1280", True),
        ("特价85元，原价120元", "85", False),
        ("855", "85", False),
        ("没有", "85", False),
        ("", "85", False),
    ],
)
def test_an_answer_must_name_the_number_and_no_other(answer: str, number: str, expected: bool) -> None:
    assert names_only(answer, number) is expected


@pytest.mark.parametrize(
    ("answer", "truth", "rate"),
    [
        ("特价：39元", "特价:39元", 0.0),
        ("特 价\n39元", "特价39元", 0.0),
        ("特价38元", "特价39元", 0.2),
        ("", "四个字呢", 1.0),
    ],
)
def test_character_error_rate_counts_edits(answer: str, truth: str, rate: float) -> None:
    assert character_error_rate(answer, truth) == pytest.approx(rate)


def test_every_bundled_card_is_a_picture_with_questions() -> None:
    questions = bundled_questions()
    assert len(questions) >= 10
    for name in {q.file for q in questions}:
        picture = decode_picture(card_bytes(name), name=name)
        assert (picture.width_px, picture.height_px) == (256, 256)
    assert all(q.accepts(q.truth) for q in questions)


def test_verdict_needs_four_of_five() -> None:
    question = bundled_questions()[0]
    outcomes = [Outcome(question, "", right, 1.0) for right in (True, True, True, True, False)]
    assert is_passed(outcomes)
    assert "4 of 5" in verdict(outcomes)
    assert not is_passed(outcomes[1:])
    assert not is_passed([])


def test_random_weights_fail_and_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selftest", "--model", str(GOLDEN / "tied"), "--json"]) == 4
    result = json.loads(capsys.readouterr().out)
    assert not result["ok"]
    assert result["num_questions"] == len(result["questions"]) == len(bundled_questions())
    assert "does not read" in result["verdict"]


def test_missing_model_is_told_before_any_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selftest", "--model", "./nowhere", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "model_not_found"


@pytest.mark.skipif(not IS_HERE, reason="no trained miniature in this copy: make mini, make mini-ship")
@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_a_trained_model_passes(precision: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selftest", "--model", DEMO_MODEL, "--precision", precision, "--verbose"]) == 0
    out = capsys.readouterr().out
    assert "answers as it should" in out.splitlines()[-1]
    assert len(out.splitlines()) == len(sample_questions()) + 1
