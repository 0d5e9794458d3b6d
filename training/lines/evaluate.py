"""``python -m training.lines.evaluate``: reads held-out worn lines through the product, by old and new weights.

Owns: which sheets are held out, what is counted. Must not know: torch, how the weights were trained.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from kandong.reading.ocr import recogniser_weights, shared_ocr
from kandong.reading.recogniser import Recogniser
from kandong.reading.worn_weights import put_weights

from .wear import WAYS, Crop, crops_of

HELD_OUT_SEED = 900_000_000  # and up: no sheet of the training
RECORD = Path(__file__).resolve().parent.parent.parent / "bench" / "results" / "worn_lines.json"


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Measure the weights for worn lines on lines that were held out.")
    parser.add_argument("--sheets", type=int, default=200)
    parser.add_argument("--json", type=Path, default=RECORD)
    given = parser.parse_args()
    crops = crops_of(range(HELD_OUT_SEED, HELD_OUT_SEED + given.sheets))
    record = {
        "command": f"python -m training.lines.evaluate --sheets {given.sheets}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "ways": counts(crops),
    }
    given.json.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


def counts(crops: list[Crop]) -> dict[str, dict[str, Any]]:
    """Count for each way of wear lines, characters and wrong characters: as bundled, as trained, both together."""
    ocr = shared_ocr()
    pixels = [crop.pixels for crop in crops]
    read = {
        "bundled": ocr.read(pixels),
        "trained": Recogniser(recogniser_weights(), change=put_weights).read(pixels),
        "both": ocr.read_worn(pixels),
    }
    table: dict[str, dict[str, Any]] = {way: defaultdict(int) for way in WAYS}
    for index, crop in enumerate(crops):
        row = table[crop.way]
        row["lines"] += 1
        row["characters"] += len(crop.text)
        for name, lines in read.items():
            row[name] += Levenshtein.distance(crop.text, lines[index].text)
    return table


if __name__ == "__main__":
    raise SystemExit(main())
