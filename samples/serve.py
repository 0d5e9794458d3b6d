"""What `make serve` runs until the page comes: the main job on a sample card.

Owns: choosing a model that is there. Must not know: the engine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kandong.cli.main import main
from kandong.cli.output import write_error
from kandong.errors import ModelNotFoundError
from kandong.models.catalogue import find_model

ROOT = Path(__file__).resolve().parent.parent
CARD = ROOT / "samples" / "card.png"
QUESTIONS = ("价格是多少？", "请识别图中的文字")
RANDOM_WEIGHTS = ROOT / "tests" / "golden" / "tied"


def run() -> int:
    """Ask two questions about the card; without a model, say how to get one and show the engine on random weights."""
    try:
        model = str(find_model().folder)
    except ModelNotFoundError as error:
        write_error(error)
        print(
            "\nMeanwhile, here is the engine at work on a tiny model of random weights: what it writes means nothing.",
            file=sys.stderr,
        )
        return main(["ask", str(CARD), QUESTIONS[0], "--model", str(RANDOM_WEIGHTS), "--max-tokens", "16", "--json"])
    for question in QUESTIONS:
        print(f"samples/card.png — {question}", file=sys.stderr)
        if code := main(["ask", str(CARD), question, "--model", model]):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(run())
