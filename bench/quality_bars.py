"""The bars that reading has to reach beside plain RapidOCR, each with what was measured.

Owns: the limits and which rows they are about. Must not know: how a mistake is counted, how bars are shown.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.cards.make import CLEAN_KINDS
from bench.readings import OURS, PLAIN

HARD_KINDS: Final = (
    "long",
    "two_columns",
    "rotated",
    "noise",
    "blur",
    "jpeg",
    "table",
    "small_print",
    "strike_through",
)
_MAX_SHARE_OF_PLAIN: Final = 0.5
_MIN_NUMBER_EXACT_CLEAN: Final = 0.995
_MIN_NUMBER_EXACT: Final = 0.97
_MAX_TIME_RATIO: Final = 1.1
_MAX_TILE_S: Final = 0.6
_UNSHRUNK_PX: Final = 2000  # RapidOCR's default max_side_len: it shrinks what is longer
_PHONE_HEIGHT: Final = 4 / 3  # of the width, as the posters of 1080x1440


@dataclass(frozen=True)
class Timing:
    """One card's size in pixels and both tools' seconds."""

    kind: str
    width_px: int
    height_px: int
    ours_s: float
    plain_s: float


def further_tile_s(timings: Iterable[Timing]) -> float | None:
    """Give the median seconds per further tile of phone size of long cards, over the median poster of the same run.

    ``None`` where there is no poster or no card of more than one tile.
    """
    known = list(timings)
    firsts = [t.ours_s for t in known if t.kind == "poster"]
    if not firsts:
        return None
    first = statistics.median(firsts)
    counts = [(t.ours_s, t.height_px / (t.width_px * _PHONE_HEIGHT) - 1) for t in known if t.kind == "long"]
    each = [(took - first) / num_further for took, num_further in counts if num_further >= 1]
    return statistics.median(each) if each else None


def bars(rows: Sequence[dict[str, Any]], timings: Iterable[Timing]) -> list[dict[str, Any]]:
    """Check every bar whose cards were measured: name, measured, limit, whether it is reached."""
    known = list(timings)
    by_kind = {row["kind"]: row["tools"] for row in rows}
    found = [_wrong_characters(kind, tools) for kind, tools in by_kind.items() if kind != "all"]
    clean = [by_kind[kind][OURS] for kind in CLEAN_KINDS if kind in by_kind]
    if sum(tool["num_numbers"] for tool in clean):
        share = sum(tool["num_exact_numbers"] for tool in clean) / sum(tool["num_numbers"] for tool in clean)
        found.append(_at_least("numbers exact, clean cards", share, _MIN_NUMBER_EXACT_CLEAN))
    if "all" in by_kind:
        found.append(_at_least("numbers exact, all cards", by_kind["all"][OURS]["number_exact"], _MIN_NUMBER_EXACT))
    if "long" in by_kind:
        own = by_kind["long"][OURS]
        found.append(_at_most("long: lines lost or doubled", own["num_lost_lines"] + own["num_doubled_lines"], 0))
    ratios = [t.ours_s / t.plain_s for t in known if max(t.width_px, t.height_px) <= _UNSHRUNK_PX]
    if ratios:
        name = f"time beside RapidOCR, to {_UNSHRUNK_PX} px"
        found.append(_at_most(name, statistics.median(ratios), _MAX_TIME_RATIO))
    tile_s = further_tile_s(known)
    if tile_s is not None:
        found.append(_at_most("seconds a further tile of phone size", tile_s, _MAX_TILE_S))
    return found


def _wrong_characters(kind: str, tools: dict[str, Any]) -> dict[str, Any]:
    is_hard = kind in HARD_KINDS
    limit = tools[PLAIN]["cer"] * (_MAX_SHARE_OF_PLAIN if is_hard else 1)
    name = f"{kind}: wrong characters, {'half of' if is_hard else 'not above'} RapidOCR's"
    return _at_most(name, tools[OURS]["cer"], limit)


def _at_most(name: str, measured: float, limit: float) -> dict[str, Any]:
    return _bar(name, measured, limit, is_reached=measured <= limit, sense="<=")


def _at_least(name: str, measured: float, limit: float) -> dict[str, Any]:
    return _bar(name, measured, limit, is_reached=measured >= limit, sense=">=")


def _bar(name: str, measured: float, limit: float, *, is_reached: bool, sense: str) -> dict[str, Any]:
    return {
        "bar": name,
        "measured": round(measured, 5),
        "sense": sense,
        "limit": round(limit, 6),
        "is_reached": is_reached,
    }
