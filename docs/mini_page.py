"""docs/mini.md from the log of the run that made the shipped miniature, and from what it reached on fresh cards.

Owns: the page's words and tables. Must not know: how it is trained or measured.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORD = Path(__file__).resolve().parent.parent / "training" / "record"
_TEXT = Path(__file__).resolve().parent / "mini_text.md"
_FAILED = _TEXT.with_name("mini_failed.md")
_NOT_YET = "No trained miniature is in this copy of the repository: `make mini`, then `make mini-ship`.\n"
_NUM_CURVE_ROWS = 24
_ASKED = {
    "price": "price",
    "original_price": "original price",
    "date": "dates",
    "phone": "telephone",
    "threshold": "满…减…",
    "gift": "gift",
    "gift_yes_no": "gift: 有 / 没有",
    "colour": "colour of the ground",
    "line": "the n-th line",
    "transcribe": "whole text exact",
    "json_two": "JSON, two fields",
    "json_four": "JSON, four fields",
    "in_context": "further question in context",
    "absent": "not on the card: 图中没有",
    "lines": "lines exact",
    "character_errors": "wrong characters",
}


def mini_page(record: Path = RECORD) -> str:
    """Give the page."""
    texts = [_TEXT.read_text("utf-8").rstrip(), _FAILED.read_text("utf-8").rstrip()]
    if not (record / "evaluation.json").is_file():
        return "\n\n".join([_NOT_YET.rstrip(), *texts]) + "\n"
    evaluation = json.loads((record / "evaluation.json").read_text("utf-8"))
    log = _log(record / "log.jsonl")
    parts = [texts[0], _bars(evaluation), _sets(evaluation), _run(log), _curve(log), texts[1]]
    return "\n\n".join(parts) + "\n"


def _log(path: Path) -> list[dict[str, Any]]:
    """Read a log; where a run was taken up from an earlier step, what had followed that step is left out."""
    records: list[dict[str, Any]] = []
    for record in map(json.loads, path.read_text("utf-8").splitlines()):
        if record.get("event") == "start":
            records = [r for r in records if r["step"] <= record["step"]]
        records.append(record)
    return records


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _bars(evaluation: dict[str, Any]) -> str:
    rows = ["| | asked for | reached | |", "|---|---|---|---|"]
    for name, bar in evaluation["bars"].items():
        sign = "≤" if name == "character_errors" else "≥"
        verdict = "met" if bar["met"] else "**missed**"
        rows.append(f"| {_ASKED[name]} | {sign} {_percent(bar['bar'])} | {_percent(bar['reached'])} | {verdict} |")
    cards = evaluation["sets"]["held out"]["cards"]
    return f"## What it reaches\n\nOn {cards} fresh cards, in float32, through the engine:\n\n" + "\n".join(rows)


def _sets(evaluation: dict[str, Any]) -> str:
    sets = evaluation["sets"]
    rows = ["| | " + " | ".join(f"{name} ({sets[name]['cards']} cards)" for name in sets) + " |"]
    rows.append("|---|" + "---|" * len(sets))
    for kind, said in _ASKED.items():
        cells = [_cell(sets[name], kind) for name in sets]
        rows.append(f"| {said} | " + " | ".join(cells) + " |")
    swapped = evaluation["another card's picture"]
    after = (
        "`held out`: seeds, shapes, sizes of glyphs, amounts, dates, numbers and wordings that were kept apart. "
        "`as trained`: fresh cards with the parameters of training. `new face`: as held out, in a serif face that was "
        f"never trained. Prices asked with another card's picture shown: {swapped} right."
    )
    return "\n".join(rows) + "\n\n" + after


def _cell(of: dict[str, Any], kind: str) -> str:
    share = _percent(of["shares"][kind])
    return f"{share} ({of['counts'][kind]})" if kind in of["counts"] else share


def _run(log: list[dict[str, Any]]) -> str:
    starts = [record for record in log if record.get("event") == "start"]
    steps = [record for record in log if "cpu_s" in record]
    every = steps[0]["step"]
    cpu_hours = sum(record["cpu_s"] * every for record in steps) / 3600
    wall_hours = steps[-1]["seconds"] / 3600
    return (
        f"## The run\n\nSeed {starts[0]['seed']}, {steps[-1]['step']} steps, {wall_hours:.2f} hours on 2 cores that "
        f"other work shared, {cpu_hours:.2f} hours of processor time; started or taken up {len(starts)} times. "
        "`training/record/log.jsonl` is its log."
    )


def _curve(log: list[dict[str, Any]]) -> str:
    losses = [record for record in log if "cpu_s" in record]
    stride = max(1, -(-len(losses) // _NUM_CURVE_ROWS))
    rows = ["| step | minutes | loss, language alone | loss, together | glyphs read | answer tokens right |"]
    rows.append("|---|---|---|---|---|---|")
    for record in losses[::stride]:
        alone, joint = record.get("stand_in_loss"), record.get("loss")
        right = record.get("tokens", record.get("stand_in_tokens"))
        cells = [f"{alone:.2f}" if alone is not None else "", f"{joint:.2f}" if joint is not None else ""]
        glyphs = _percent(record["glyphs"]) if "glyphs" in record else ""
        cells += [glyphs, _percent(right) if right is not None else ""]
        rows.append(f"| {record['step']} | {record['seconds'] / 60:.0f} | " + " | ".join(cells) + " |")
    kinds = ("price", "original_price", "date", "phone", "gift", "colour", "transcribe", "json_four", "absent")
    table = [
        "| step | minutes | " + " | ".join(_ASKED[kind] for kind in kinds) + " |",
        "|---|---|" + "---|" * len(kinds),
    ]
    for record in log:
        if (found := record.get("validation")) is not None:
            cells = [_percent(found[kind]) if kind in found else "" for kind in kinds]
            table.append(f"| {record['step']} | {record['seconds'] / 60:.0f} | " + " | ".join(cells) + " |")
    middle = "Exact answers on 64 held-out cards while it learnt:"
    return "\n".join(rows) + f"\n\n{middle}\n\n" + "\n".join(table)
