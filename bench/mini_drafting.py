"""Drafting on the miniature's transcripts: what it copies from OCR's lines of the same card, and what that gains.

Owns: the measurement, bench/results/mini_drafting.json, its part of docs/benchmarks.md. Must not know: how drafts work.
Run: ``python -m bench.mini_drafting``; then ``python -m docs.generate``.

Of each card three answers are timed in turn, so that a change of the machine falls on all: without a draft, with the
lines that OCR read, and with the true text. Only decoding counts: prompt and picture are not drafted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.home import ROOT
from bench.machine import describe_machine
from kandong import Answer, Kandong
from kandong.reading.images import load_picture
from kandong.reading.reader import read_picture
from kandong.types import Picture
from tests.mini.held_out import Asked, asked_of

RESULTS = ROOT / "bench" / "results" / "mini_drafting.json"
WAYS = ("no draft", "OCR's lines", "the true text")
_MAX_TOKENS = 128


def measured(num_cards: int, precision: str) -> dict[str, Any]:
    """Transcribe the test cards in each way; gives medians, and how many answers a draft changed (none may)."""
    kandong = Kandong("mini", precision=precision, keep_features=False, convert=False)
    asked = asked_of("transcribe", num_cards=num_cards)
    rows: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    num_changed = 0
    for one in asked:
        picture = load_picture(one.picture)
        answers = _answers(kandong, picture, one, read_picture(picture).full_text)
        num_changed += len({answer.text for answer in answers.values()}) - 1
        for way, answer in answers.items():
            rows[way].append(_row(answer))
    return {
        "machine": describe_machine(),
        "command": f"python -m bench.mini_drafting --cards {num_cards} --precision {precision}",
        "precision": precision,
        "num_cards": len(asked),
        "num_changed": num_changed,
        "ways": {way: _summary(found, rows[WAYS[0]]) for way, found in rows.items()},
    }


def _answers(kandong: Kandong, picture: Picture, one: Asked, read: str) -> dict[str, Answer]:
    sources = {"no draft": (), "OCR's lines": (read,), "the true text": (one.right,)}
    kandong.ask(picture, one.question, max_tokens=1)  # picture and prompt are in the caches for all three
    return {
        way: kandong.ask(picture, one.question, max_tokens=_MAX_TOKENS, draft_sources=source)
        for way, source in sources.items()
    }


def _row(answer: Answer) -> dict[str, float]:
    return {
        "tokens": len(answer.token_ids),
        "steps": answer.counts.num_steps,
        "drafted": answer.counts.num_drafted_tokens,
        "accepted": answer.counts.num_accepted_tokens,
        "decode_ms": answer.timings.decode_ms,
    }


def _summary(rows: list[dict[str, float]], plain: list[dict[str, float]]) -> dict[str, float]:
    sums = {name: sum(row[name] for row in rows) for name in rows[0]}
    ratios = [before["decode_ms"] / row["decode_ms"] for before, row in zip(plain, rows, strict=True)]
    return {
        "tokens_per_step": round(sums["tokens"] / sums["steps"], 2),
        "accepted_share": round(sums["accepted"] / sums["drafted"], 3) if sums["drafted"] else 0.0,
        "speedup_median": round(statistics.median(ratios), 2),
    }


def markdown(result: Mapping[str, Any]) -> str:
    """Give the part of docs/benchmarks.md."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    yield "## Drafting on transcripts that are really read\n"
    yield f"`{result['command']}`, on {result['machine']['cpu']}, {result['machine']['num_cpus']} cores."
    seen = f"{result['num_cards']} cards that it was never shown, in {result['precision']}"
    yield f"The shipped miniature transcribes {seen};"
    yield "drafts come from OCR's lines of the same card, or, as the limit of what a draft can do, from the true text."
    yield f"Answers that a draft changed: {result['num_changed']}. Its steps are so short that a draft saves less"
    yield "than with the 2B, whose figure is above under “copying”.\n"
    yield "| draft | tokens a step | drafted tokens accepted | decoding, × no draft (median) |"
    yield "|---|---|---|---|"
    for way, row in result["ways"].items():
        share = f"{100 * row['accepted_share']:.1f} %" if row["accepted_share"] else "–"
        yield f"| {way} | {row['tokens_per_step']:.2f} | {share} | {row['speedup_median']:.2f} |"


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Measure drafting on the miniature's transcripts.")
    parser.add_argument("--cards", type=int, default=100)
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    result = measured(given.cards, given.precision)
    given.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(markdown(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
