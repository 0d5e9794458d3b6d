"""Makes cards of every kind by seed, and writes sets of them.

Owns: the list of kinds. Must not know: layouts, wear.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from bench.cards import layouts, screens, wear
from bench.cards.sheet import SheetFullError
from bench.cards.truth import Card


def _posted(card: Card, rng: Random, *, shrink: tuple[float, float]) -> Card:
    """Post once or twice, as most pictures were that anybody sends in."""
    return wear.reposted(card, rng, shrink=shrink, saves=(1, 2), quality=(35, 60))


_MAKERS: dict[str, Callable[[Random, int], Card]] = {
    "poster": layouts.poster,
    "chat": screens.chat,
    "rotated": lambda rng, seed: _posted(
        wear.turned(layouts.poster(rng, seed, "rotated"), rng), rng, shrink=(0.3, 0.42)
    ),
    "noise": lambda rng, seed: wear.photographed(layouts.poster(rng, seed, "noise"), rng),
    "blur": lambda rng, seed: wear.blurred(layouts.poster(rng, seed, "blur"), rng),
    "jpeg": lambda rng, seed: wear.reposted(
        layouts.poster(rng, seed, "jpeg"), rng, shrink=(0.42, 0.6), saves=(3, 5), quality=(18, 40)
    ),
    "long": screens.long,
    "table": lambda rng, seed: _posted(layouts.table(rng, seed), rng, shrink=(0.5, 0.7)),
    "two_columns": layouts.two_columns,
    "small_print": lambda rng, seed: _posted(layouts.small_print(rng, seed), rng, shrink=(0.7, 0.85)),
    "strike_through": layouts.struck,
    "faint": layouts.faint,
}
KINDS = tuple(_MAKERS)
_MAX_ATTEMPTS = 20
CLEAN_KINDS = ("poster", "chat")


def make_card(kind: str, seed: int) -> Card:
    """Draw one card. Errors: ``KeyError`` for an unknown kind, ``FontMissingError``.

    What chance makes too large for its sheet is drawn again by the next chance: as long as the seed, the same card.
    """
    make = _MAKERS[kind]
    for attempt in range(_MAX_ATTEMPTS):
        try:
            return make(Random(f"{kind} {seed}" if not attempt else f"{kind} {seed} {attempt}"), seed)
        except SheetFullError:
            continue
    raise SheetFullError(f"No card of the kind {kind} with seed {seed} fits its sheet.")


def make_cards(num_cards: int, seed: int = 1, kinds: tuple[str, ...] = KINDS) -> Iterator[Card]:
    """Draw so many cards, all kinds in turn; sets of different seeds have no card in common."""
    for i in range(num_cards):
        yield make_card(kinds[i % len(kinds)], seed * 1_000_000 + i // len(kinds))


def write_cards(folder: Path, cards: Iterator[Card]) -> int:
    """Write each card as PNG with its truth as JSON beside it; gives how many."""
    folder.mkdir(parents=True, exist_ok=True)
    num_written = 0
    for card in cards:
        card.image.save(folder / f"{card.name}.png", compress_level=1)
        text = json.dumps(card.to_dict(), ensure_ascii=False, indent=1)
        (folder / f"{card.name}.json").write_text(text + "\n", encoding="utf-8")
        num_written += 1
    return num_written
