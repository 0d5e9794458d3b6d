"""``kandong doctor`` and ``kandong selftest`` as a person and a program see them: lines, JSON, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kandong.cli.main import main
from kandong.models.demo import DEMO_MODEL
from kandong.runtime.selftest import sample_questions
from tests.inspection import GOLDEN
from tests.mini.held_out import IS_HERE

MODEL = str(GOLDEN / "tied")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_doctor_writes_a_line_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "doctor", "--model", MODEL)
    assert (code, err) == (0, "")
    lines = [line for line in out.splitlines() if not line.startswith(" ")]
    assert {line.split()[0] for line in lines} <= {"ok", "warning", "absent"}
    assert [line.split()[1] for line in lines][:3] == ["python", "openvino", "cpu"]


def test_doctor_ends_with_4_where_the_model_is_the_only_problem(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "doctor", "--model", "./nowhere")
    assert code == 4
    lines = out.splitlines()
    problem = next(i for i, line in enumerate(lines) if line.startswith("problem"))
    assert "no model folder at ./nowhere" in lines[problem]
    assert lines[problem + 1].startswith("          ")  # the remedy, indented


def test_doctor_ends_with_1_where_something_else_is_wrong_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs a folder that not even root may write")
    monkeypatch.setenv("KANDONG_HOME", "/proc/self/kandong")
    code, out, _ = run(capsys, "doctor", "--model", "someone/model", "--json")
    assert code == 1
    problems = {c["name"] for c in json.loads(out)["checks"] if c["status"] == "problem"}
    assert problems == {"disk", "model"}


def test_doctor_json_is_one_object_of_plain_fields(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "doctor", "--model", MODEL, "--verify", "--json")
    assert (code, err) == (0, "")
    described = json.loads(out)
    assert set(described) == {"checks", "ok"}
    assert described["ok"] is True
    assert all(set(check) == {"name", "status", "found", "remedy"} for check in described["checks"])


def test_selftest_of_random_weights_is_one_line_and_exit_4(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "selftest", "--model", MODEL)
    assert (code, err) == (4, "")
    assert len(out.splitlines()) == 1
    assert "does not read these cards" in out


def test_selftest_json_holds_every_question(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "selftest", "--model", MODEL, "--precision", "f32", "--json")
    assert code == 4
    described = json.loads(out)
    assert (described["ok"], described["num_questions"], described["precision"]) == (False, 12, "f32")
    assert len(described["questions"]) == 12
    assert set(described["questions"][0]) == {"card", "question", "answer", "truth", "right", "ms"}
    assert described["num_right"] == sum(q["right"] for q in described["questions"])


def test_selftest_without_a_model_is_an_error_object_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "selftest", "--model", "./nowhere", "--json")
    assert code == 4
    assert json.loads(out)["error"]["code"] == "model_not_found"
    assert len(err.splitlines()) == 1
    assert run(capsys, "selftest", "--model", MODEL, "--precision", "int3")[0] == 2


@pytest.mark.skipif(not IS_HERE, reason="no trained miniature in this copy: make mini, make mini-ship")
def test_selftest_of_a_model_that_reads_is_exit_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "selftest", "--model", DEMO_MODEL, "--verbose")
    assert (code, err) == (0, "")
    *details, verdict = out.splitlines()
    assert len(details) == len(sample_questions())
    assert verdict.endswith("answers right: this installation answers as it should")
    assert all(line.startswith("right ") for line in details)
