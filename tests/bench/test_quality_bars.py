"""A bar is reached at its limit and missed just beyond it."""

from __future__ import annotations

from typing import Any

import pytest

from bench.quality_bars import HARD_KINDS, Timing, bars, further_tile_s
from bench.readings import OURS, PLAIN

POSTER = Timing("poster", 1080, 1440, 1.0, 1.0)
LONG = Timing("long", 1080, 14400, 6.4, 3.0)  # nine further tiles


def row(kind: str, cer: float = 0.01, plain_cer: float = 0.02, **ours: float) -> dict[str, Any]:
    own = {"num_numbers": 1000, "num_exact_numbers": 995, "number_exact": 0.97}
    own |= {"num_lost_lines": 0, "num_doubled_lines": 0}
    return {"kind": kind, "tools": {OURS: own | {"cer": cer} | ours, PLAIN: {"cer": plain_cer}}}


def missed(rows: list[dict[str, Any]], *timings: Timing) -> list[str]:
    return [bar["bar"] for bar in bars(rows, timings) if not bar["is_reached"]]


def test_every_bar_is_reached_at_its_limit() -> None:
    rows = [row(kind) for kind in ("poster", "chat", "faint", *HARD_KINDS, "all")]
    timings = (Timing("poster", 1080, 1440, 1.1, 1.0), Timing("long", 1080, 14400, 6.499, 3.0))
    found = bars(rows, timings)
    assert len(found) == 3 + len(HARD_KINDS) + 5
    assert all(bar["is_reached"] for bar in found)


@pytest.mark.parametrize("kind", HARD_KINDS)
def test_hard_kinds_need_half_of_the_peers_mistakes(kind: str) -> None:
    assert missed([row(kind, 0.0101, 0.02)]) == [f"{kind}: wrong characters, half of RapidOCR's"]
    assert missed([row(kind, 0, 0)]) == []
    assert missed([row(kind, 0.001, 0)]) == [f"{kind}: wrong characters, half of RapidOCR's"]


def test_other_kinds_must_not_be_worse() -> None:
    assert missed([row("faint", 0.02, 0.02)]) == []
    assert missed([row("faint", 0.0201, 0.02)]) == ["faint: wrong characters, not above RapidOCR's"]


def test_numbers_and_lines_have_bars() -> None:
    assert missed([row("poster", num_exact_numbers=994)]) == ["numbers exact, clean cards"]
    assert missed([row("poster", num_exact_numbers=990), row("chat", num_exact_numbers=1000)]) == []
    assert missed([row("all", number_exact=0.9699)]) == ["numbers exact, all cards"]
    assert missed([row("long", num_lost_lines=1)]) == ["long: lines lost or doubled"]
    assert missed([row("long", num_doubled_lines=1)]) == ["long: lines lost or doubled"]


def test_time_is_compared_on_pictures_that_the_peer_does_not_shrink() -> None:
    slow = Timing("table", 1080, 2000, 1.2, 1.0)
    assert missed([], slow) == ["time beside RapidOCR, to 2000 px"]
    assert missed([], Timing("table", 1080, 2001, 9.0, 1.0)) == []


def test_further_tiles_cost_what_the_first_does_not_explain() -> None:
    assert further_tile_s([POSTER, LONG]) == pytest.approx(0.6)
    assert further_tile_s([LONG]) is None
    assert further_tile_s([POSTER]) is None
    slower = Timing("long", 1080, 14400, 7.0, 3.0)
    assert missed([], POSTER, slower) == ["seconds a further tile of phone size"]
