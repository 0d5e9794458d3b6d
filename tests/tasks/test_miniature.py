"""The tasks with a trained miniature, where one is beside the repository (KANDONG_MINIATURE, or ../shared/mini).

It was trained to answer questions about small cards, without a system message; so prompts of one's own are used too.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.judging_runs.fields import run, summed
from kandong import Kandong
from kandong.reading.images import load_picture
from kandong.tasks.analyse import TASKS, analyse
from kandong.tasks.post import Post
from kandong.tasks.prompt_files import load_prompts

FOLDER = Path(os.environ.get("KANDONG_MINIATURE", Path(__file__).resolve().parents[3] / "shared" / "mini"))
SAMPLES = FOLDER / "samples"

pytestmark = pytest.mark.skipif(not (SAMPLES / "cards.jsonl").is_file(), reason="no trained miniature here")


@pytest.fixture(scope="module")
def kandong() -> Kandong:
    return Kandong(FOLDER, precision="f32", convert=False, keep_features=False)


def test_six_tasks_run_end_to_end_on_a_real_picture(kandong: Kandong, tmp_path: Path) -> None:
    for name, text in (("system", ""), ("words", ""), ("ask", "$question"), ("reread", "图中写了什么？")):
        (tmp_path / f"{name}.txt").write_text(f"版本: mini\n{text}\n", "utf-8")
    post = Post("", (load_picture(SAMPLES / "card01.png"),))
    prompts = load_prompts(tmp_path)
    reports = analyse(post, engine=kandong.engine, prompts=prompts, question="价格是多少？", model={"id": "mini"})
    assert tuple(reports) == TASKS
    assert all(report["status"] in ("ok", "partial") for report in reports.values())
    asked = reports["ask"]["result"]
    assert (asked["answer"], asked["verified"]) == ("39.7", "both")
    assert asked["marks"][0]["evidence"][0]["box"]
    assert reports["extract"]["result"]["offers"][0]["price"] == "39.7"
    assert "system-mini" in reports["ask"]["prompt_version"]


def test_what_is_shown_as_verified_is_right_and_wrong_answers_are_not(kandong: Kandong) -> None:
    rows = list(run(kandong.engine, SAMPLES, num_cards=8))
    data = summed(rows)
    assert data["num_verified"] >= 8
    assert data["num_verified_right"] == data["num_verified"]
    assert data["num_wrong_marked"] == data["num_wrong"]
    assert data["ways"]["both"]["f1"] >= data["ways"]["model"]["f1"]
