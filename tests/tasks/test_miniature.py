"""The six tasks with the miniature, which is trained: what it says of real pictures, and what is made of it.

It knows questions about small cards, without a system message; so prompts of one's own are used too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.judging_runs.fields import run, summed
from kandong import Kandong
from kandong.reading.images import load_picture
from kandong.tasks.analyse import TASKS, analyse
from kandong.tasks.post import Post
from kandong.tasks.prompt_files import load_prompts
from tests.mini.held_out import CARDS, FOLDER, IS_HERE, asked_of

pytestmark = pytest.mark.skipif(not IS_HERE, reason="no trained miniature in this copy: make mini, make mini-ship")


@pytest.fixture(scope="module")
def kandong() -> Kandong:
    return Kandong(FOLDER, precision="f32", convert=False, keep_features=False)


def test_six_tasks_run_end_to_end_on_a_real_picture(kandong: Kandong, tmp_path: Path) -> None:
    for name, text in (("system", ""), ("words", ""), ("ask", "$question"), ("reread", "图中写了什么？")):
        (tmp_path / f"{name}.txt").write_text(f"版本: mini\n{text}\n", "utf-8")
    asked = next(one for one in asked_of("price") if one.right != "图中没有")
    post = Post("", (load_picture(asked.picture),))
    prompts = load_prompts(tmp_path)
    reports = analyse(post, engine=kandong.engine, prompts=prompts, question=asked.question, model={"id": "mini"})
    assert tuple(reports) == TASKS
    assert all(report["status"] in ("ok", "partial") for report in reports.values())
    answered = reports["ask"]["result"]
    assert (answered["answer"], answered["verified"]) == (asked.right, "both")
    assert answered["marks"][0]["evidence"][0]["box"]
    assert reports["extract"]["result"]["offers"][0]["price"] == asked.right
    assert "system-mini" in reports["ask"]["prompt_version"]


def test_what_is_shown_as_verified_is_right_and_wrong_answers_are_not(kandong: Kandong) -> None:
    rows = list(run(kandong.engine, CARDS, num_cards=8))
    data = summed(rows)
    assert data["num_verified"] >= 8
    assert data["num_verified_right"] == data["num_verified"]
    assert data["num_wrong_marked"] == data["num_wrong"]
    assert data["ways"]["both"]["precision"] >= data["ways"]["model"]["precision"]
