"""``python -m bench.cards FOLDER``: writes a set of cards with their truth.

Owns: arguments. Must not know: how cards are made.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.cards.fonts import FontMissingError
from bench.cards.make import KINDS, make_cards, write_cards


def main() -> int:
    """Write the cards; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.cards", description="Write generated cards and their truth.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24, help="how many cards (default 24)")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other cards (default 1)")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this kind; may be given several times")
    options = parser.parse_args()
    try:
        kinds = tuple(options.kind or KINDS)
        num_written = write_cards(options.folder, make_cards(options.count, options.seed, kinds))
    except FontMissingError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{num_written} cards in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
