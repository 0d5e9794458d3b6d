"""Real answers from a trained miniature, where one is beside the repository (KANDONG_MINIATURE, or ../shared/mini).

The folder's ``samples/answers.jsonl`` holds what transformers answers in float32, right and wrong.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from kandong import Kandong

FOLDER = Path(os.environ.get("KANDONG_MINIATURE", Path(__file__).resolve().parents[3] / "shared" / "mini"))
SAMPLES = FOLDER / "samples"

pytestmark = pytest.mark.skipif(not (SAMPLES / "answers.jsonl").is_file(), reason="no trained miniature here")


def records() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLES / "answers.jsonl").read_text("utf-8").splitlines()]


def test_float32_answers_every_question_as_transformers_does() -> None:
    kd = Kandong(FOLDER, precision="f32")
    for record in records():
        for kind, asked in record["answers"].items():
            answer = kd.ask(SAMPLES / record["file"], asked["q"], max_tokens=96)
            assert answer.text == asked["answer"], (record["file"], kind)


@pytest.mark.parametrize(("precision", "num_lost"), [("int8", 1), ("bf16", 1)])
def test_prices_stay_right_in_lower_precision(precision: str, num_lost: int) -> None:
    kd = Kandong(FOLDER, precision=precision)
    asked = [(r["file"], r["answers"]["price"]) for r in records()]
    right_in_f32 = sum(a["answer"] == a["truth"] for _, a in asked)
    right = sum(kd.ask(SAMPLES / f, a["q"], max_tokens=96).text == a["truth"] for f, a in asked)
    assert right >= right_in_f32 - num_lost


def test_answers_come_from_the_picture_shown() -> None:
    kd = Kandong(FOLDER, precision="f32")
    asked = [(r["file"], r["answers"]["price"]) for r in records()]
    files = [f for f, _ in asked]
    swapped = zip(files[1:] + files[:1], (a for _, a in asked), strict=True)
    right = sum(kd.ask(SAMPLES / f, a["q"], max_tokens=96).text == a["truth"] for f, a in swapped)
    assert right <= 2
