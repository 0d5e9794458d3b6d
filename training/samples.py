"""``python -m training.samples``: writes the sample cards of an exported miniature, and the cards of its tests.

Owns: which cards, their titles and files. Must not know: torch.

Samples are fresh cards about which it answers the question rightly: they show what it can do. The cards of the tests
are taken as they come, but for grainy ones, whose files would be five times as large.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from kandong import Kandong

from . import cards, evaluate, questions, wording
from .evaluate import png_of

SAMPLE_SEED, TEST_SEED = 820_000_001, 830_000_003
TEST_CARDS = Path(__file__).resolve().parent.parent / "tests" / "mini" / "cards"
NUM_TEST_CARDS = 100
_LARGEST_BYTES = 24_000
_LEAST_SURE = 0.9  # of each token of a sample's answer, so that no machine's rounding, nor chance, turns it
_MOST_TRIED = 300
# Name, titles, and the kind of question that opens with the card.
_SAMPLES = (
    ("price", "现价", "Price", "price"),
    ("original-price", "原价", "Price of before", "original_price"),
    ("dates", "活动日期", "Dates of an offer", "date"),
    ("phone", "联系电话", "Telephone number", "phone"),
    ("threshold", "满减优惠", "Money off from a sum", "threshold"),
    ("gift", "赠品", "Gift", "gift_yes_no"),
    ("record", "整理成 JSON", "A JSON record", "json_four"),
    ("transcript", "逐行文字", "Line by line", "transcribe"),
)


def fresh_cards(seed: int) -> Iterator[tuple[cards.Card, Random, bytes]]:
    """Give held-out cards without end, each with its random numbers and its PNG, grainy ones left out."""
    number = 0
    while True:
        rng = Random(seed * 1009 + number)
        card = cards.draw_card(rng, cards.HELD_OUT)
        png = png_of(card)
        if len(png) <= _LARGEST_BYTES:
            yield card, rng, png
        number += 1


def write_samples(folder: Path) -> None:
    """Write ``samples/`` of a model folder."""
    target = folder / "samples"
    target.mkdir(exist_ok=True)
    kandong = Kandong(folder, precision="f32", keep_features=False, convert=False)
    listed, drawn = [], fresh_cards(SAMPLE_SEED)
    for name, title_zh, title_en, kind in _SAMPLES:
        found = (
            (asked, png)
            for card, rng, png in islice(drawn, _MOST_TRIED)
            if (asked := _asked_rightly(kandong, card, rng, png, kind)) is not None
        )
        first = next(found, None)
        if first is None:
            raise RuntimeError(f"Of {_MOST_TRIED} cards none gets a right answer about {kind}: train longer.")
        asked, png = first
        (target / f"{name}.png").write_bytes(png)
        listed.append({"name": name, "title_zh": title_zh, "title_en": title_en, "question_zh": asked.question,
                       "expected": asked.answer})  # fmt: skip
    text = json.dumps(listed, ensure_ascii=False, indent=1)
    (target / "samples.json").write_text(f"{text}\n", encoding="utf-8")


def _asked_rightly(kandong: Kandong, card: cards.Card, rng: Random, png: bytes, kind: str) -> questions.Asked | None:
    """Give the question of a kind if the card has four rows, what is asked for, and the answer is right."""
    asked = questions.about(card, kind, rng)
    is_fit = len(card.lines) >= 4 and bool(card.fields["price"]) and not asked.is_absent
    is_fit = is_fit and asked.answer != wording.HAS_NOT
    return asked if is_fit and _is_sure(kandong, png, asked) else None


def _is_sure(kandong: Kandong, png: bytes, asked: questions.Asked) -> bool:
    """Tell whether the answer is right, and no token of it was close to another."""
    given = kandong.ask(png, asked.question, max_tokens=192, top_logprobs=0)
    sure = min(one.logprob for one in given.logprobs if one.logprob is not None)
    return given.text == asked.answer and sure >= math.log(_LEAST_SURE)


def write_test_cards() -> None:
    """Write the cards of the tests with their questions."""
    TEST_CARDS.mkdir(parents=True, exist_ok=True)
    drawn, records = fresh_cards(TEST_SEED), []
    for number in range(NUM_TEST_CARDS):
        card, rng, png = next(drawn)
        name = f"{number:02}.png"
        (TEST_CARDS / name).write_bytes(png)
        asked = [questions.about(card, kind, rng) for kind in evaluate.KINDS] + [questions.in_context(card, rng)]
        records.append({"file": name, "asked": [_plain(one) for one in asked]})
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    (TEST_CARDS / "cards.jsonl").write_text(lines, encoding="utf-8")


def _plain(asked: questions.Asked) -> dict[str, Any]:
    plain: dict[str, Any] = {"kind": asked.kind, "question": asked.question, "answer": asked.answer}
    return plain if asked.further is None else plain | {"further": _plain(asked.further)}


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Write sample cards and the cards of the tests.")
    parser.add_argument("folder", type=Path, nargs="?", help="exported miniature whose samples are written")
    parser.add_argument("--test-cards", action="store_true", help="write tests/mini/cards")
    given = parser.parse_args()
    if given.folder:
        write_samples(given.folder)
    if given.test_cards:
        write_test_cards()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
