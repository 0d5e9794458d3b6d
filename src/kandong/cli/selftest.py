"""``kandong selftest``: whether a model on this machine reads pictures.

Owns: the arguments and how the result looks. Must not know: cards, what counts as right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kandong.cli import options as o
from kandong.cli.output import write_json, write_out
from kandong.errors import KandongError, ModelError

if TYPE_CHECKING:
    from kandong.runtime.local import Kandong
    from kandong.runtime.selftest import Outcome


def selftest(
    model: o.Model = None,
    precision: o.PrecisionOption = "auto",
    compute: o.ComputeOption = None,
    threads: o.Threads = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show each question with its answer.")] = False,
    as_json: o.AsJson = False,
) -> None:
    """Ask questions about bundled cards and compare the answers with what the cards say.

    The miniature is asked about its own samples, as it reads no other cards. Exit code 0 if at least 80 % of the
    answers are right, 4 if the model cannot be loaded or does not read the cards.
    With --json: one object with every question, answer and truth.
    """
    values: dict[str, object] = {"precision": precision, "compute": compute, "threads": threads}
    # Seen anew each time: a check must not pass on what an earlier one left behind.
    values |= {"context_tokens": 2_048, "kv_cache_mib": None, "keep_features": False}
    try:
        is_passed = _selftest(model, values, verbose=verbose, as_json=as_json)
    except KandongError as error:
        if as_json:
            write_json({"error": error.to_dict()})
        raise
    if not is_passed:
        raise typer.Exit(ModelError.exit_code)


def _selftest(model: str | None, values: dict[str, object], *, verbose: bool, as_json: bool) -> bool:
    # Imported here: loading OpenVINO takes a moment that --help need not wait for.
    from kandong.cli.terminal import ProgressLine
    from kandong.runtime import selftest as cards
    from kandong.runtime.local import Kandong

    outcomes: list[Outcome] = []
    with ProgressLine() as line:
        loading = o.loading_options(values)
        kandong = Kandong(model, report=lambda text: line.say(f"loading: {text}"), **loading)
        questions = cards.questions_for(kandong)
        line.say("asking")
        for outcome in cards.run_selftest(kandong, questions):
            outcomes.append(outcome)
            line.say(f"asked {len(outcomes)} of {len(questions)}")
    is_passed, verdict = cards.is_passed(outcomes), cards.verdict(outcomes)
    if as_json:
        write_json(_described(kandong, outcomes) | {"ok": is_passed, "verdict": verdict})
    else:
        write_out("".join(map(_one_line, outcomes if verbose else ())) + f"{verdict}\n")
    return is_passed


def _described(kandong: Kandong, outcomes: list[Outcome]) -> dict[str, object]:
    return {
        "model": kandong.model_name,
        "demo": kandong.is_demo,
        "precision": str(kandong.engine.numerics.weights),
        "compute": str(kandong.engine.numerics.compute),
        "num_right": sum(o.is_right for o in outcomes),
        "num_questions": len(outcomes),
        "questions": [
            {
                "card": o.question.file,
                "question": o.question.question,
                "answer": o.answer,
                "truth": o.question.truth,
                "right": o.is_right,
                "ms": round(o.ms, 1),
            }
            for o in outcomes
        ],
    }


def _one_line(outcome: Outcome) -> str:
    from kandong.cli.terminal import without_controls

    asked = outcome.question
    answer, truth = (without_controls(" / ".join(text.splitlines())) for text in (outcome.answer, asked.truth))
    mark = "right" if outcome.is_right else "wrong"
    expected = "" if outcome.is_right else f" (truth: {truth})"
    return f"{mark}  {outcome.ms:6.0f} ms  {asked.file}  {asked.question}  {answer}{expected}\n"
