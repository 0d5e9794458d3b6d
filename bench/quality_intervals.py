"""How far the share of a peer's mistakes would move with other cards of the same kind.

Owns: drawing cards again and again from those that were read. Must not know: how a mistake is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

_NUM_DRAWS: Final = 2_000
_OUTSIDE: Final = 0.05


def share_interval(wrong: Sequence[tuple[int, int]]) -> tuple[float | None, float | None]:
    """Give the bounds within which 95 % of draws have our mistakes by the peer's (bootstrap over cards, percentiles).

    ``wrong`` is (ours, the peer's) for each card. An upper bound of ``None``: the peer may make none at all; both are
    ``None`` where it made none.
    """
    if not any(peers for _, peers in wrong):
        return None, None
    rng = Random(7)
    shares = []
    for _ in range(_NUM_DRAWS):
        drawn = rng.choices(wrong, k=len(wrong))
        ours, peers = sum(a for a, _ in drawn), sum(b for _, b in drawn)
        shares.append(ours / peers if peers else float("inf"))
    shares.sort()
    edge = round(_NUM_DRAWS * _OUTSIDE / 2)
    low, high = shares[edge], shares[-edge - 1]
    return (None if low == float("inf") else round(low, 3)), (None if high == float("inf") else round(high, 3))
