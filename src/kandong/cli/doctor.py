"""``kandong doctor``: what stands in the way of answers on this machine.

Owns: the arguments, how checks look, and the exit code. Must not know: what is checked, or how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kandong.cli import options as o
from kandong.cli.output import write_json, write_out
from kandong.errors import KandongError, ModelError

if TYPE_CHECKING:
    from kandong.runtime.doctor import Check


def doctor(
    model: o.Model = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Also read a card with OCR and every byte of converted weights; takes seconds."),
    ] = False,
    as_json: o.AsJson = False,
) -> None:
    """Check this machine, this installation and a model, and say what to do about each problem.

    Nothing is loaded, fetched or changed. Exit code 0 if there is no problem (warnings are none), 4 if the model is the
    only one, 1 otherwise. With --json: one object {"checks": [...], "ok": true or false}; each check has name, status
    (ok, warning, problem, or absent for what is not there and need not be), found and remedy.
    """
    from kandong.runtime.doctor import MODEL_CHECKS, Status, examine

    checks = examine(model, verify=verify)
    problems = {check.name for check in checks if check.status is Status.PROBLEM}
    if as_json:
        write_json({"checks": [check.to_dict() for check in checks], "ok": not problems})
    else:
        write_out("".join(map(_lines, checks)))
    if problems:
        raise typer.Exit(ModelError.exit_code if problems <= MODEL_CHECKS else KandongError.exit_code)


def _lines(check: Check) -> str:
    remedy = f"{'':21}{check.remedy}\n" if check.remedy else ""
    return f"{check.status:8} {check.name:11} {check.found}\n{remedy}"
