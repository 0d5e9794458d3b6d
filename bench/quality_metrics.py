"""Mistakes of a reading against the truth of a card.

Owns: which read line belongs to which true line, and what is counted. Must not know: which tool
read, how cards are made.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from bench.cards.truth import Card, Point, TrueLine
from bench.readings import Reading, ReadLine
from kandong.reading.numbers import find_numbers_in_lines

# Plain RapidOCR marks nothing itself; its lines count as marked below the confidence at which ours are.
MARKED_BELOW = 0.85
_SAME_PLACE = 0.5
_STILL_READ = 60.0  # of 100: so much of a line must stand in a line drawn over it, or it is lost
UprightBox = tuple[float, float, float, float]


@dataclass(frozen=True)
class Score:
    """Counts of one card, or of several added up."""

    num_characters: int = 0
    num_wrong_characters: int = 0  # edits between the whole texts in reading order
    num_lines: int = 0
    num_exact_lines: int = 0
    num_lost_lines: int = 0
    num_doubled_lines: int = 0
    num_invented_lines: int = 0
    num_numbers: int = 0
    num_exact_numbers: int = 0
    num_silently_wrong_numbers: int = 0
    num_codes: int = 0
    num_read_codes: int = 0
    num_wrong_characters_any_order: int = 0  # edits within each group of lines that stand together, and lines invented

    def __add__(self, other: Score) -> Score:
        return Score(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


def folded(text: str) -> str:
    """Give a text without what is no mistake: spaces, full width against half width."""
    return "".join(unicodedata.normalize("NFKC", text).split()).replace("—", "-").replace("–", "-")


def score(card: Card, reading: Reading) -> Score:
    """Count the mistakes of one reading."""
    true_text = folded(card.text)
    read_text = folded("".join(line.text for line in reading.lines))
    turn = _turn_of(card)
    true_boxes = [_upright(line.quad, turn) for line in card.lines]
    read_boxes = [_upright(line.quad, turn) for line in reading.lines]
    belongs = [_place_of(box, true_boxes) for box in read_boxes]
    total = Score(
        num_characters=len(true_text),
        num_wrong_characters=Levenshtein.distance(true_text, read_text),
        num_invented_lines=sum(place is None for place in belongs),
        num_codes=len(card.codes),
        num_read_codes=sum(code.text in reading.codes for code in card.codes),
        num_wrong_characters_any_order=_wrong_in_any_order(card, reading, (true_boxes, read_boxes), belongs),
    )
    before = ""
    for i, line in enumerate(card.lines):
        own = sorted((j for j, place in enumerate(belongs) if place == i), key=lambda j: read_boxes[j][0])
        above = [j for j, box in enumerate(read_boxes) if j not in own and _share(true_boxes[i], box) > _SAME_PLACE]
        is_doubled = any(_overlap(read_boxes[a], read_boxes[b]) > _SAME_PLACE for a in own for b in own if a < b)
        parts = [reading.lines[j] for j in own]
        total += _score_line(line, parts, [reading.lines[j] for j in above], before, is_doubled)
        before = "".join(part.text for part in parts)
    return total


def _wrong_in_any_order(
    card: Card, reading: Reading, boxes: tuple[list[UprightBox], list[UprightBox]], belongs: list[int | None]
) -> int:
    """Count edits without regard to the order of lines.

    A read line drawn over several true lines joins them to one group; within a group both sides go from left to right.
    """
    true_boxes, read_boxes = boxes
    group = list(range(len(true_boxes)))
    for box, place in zip(read_boxes, belongs, strict=True):
        for i, other in enumerate(true_boxes):
            if place is not None and group[i] != group[place] and _share(other, box) > _SAME_PLACE:
                group = [group[place] if g == group[i] else g for g in group]
    num_wrong = sum(len(folded(n.text)) for n, place in zip(reading.lines, belongs, strict=True) if place is None)
    for key in set(group):
        own = sorted((i for i, g in enumerate(group) if g == key), key=lambda i: true_boxes[i][0])
        read = [j for j, place in enumerate(belongs) if place is not None and group[place] == key]
        expected = "".join(folded(card.lines[i].text) for i in own)
        text = "".join(folded(reading.lines[j].text) for j in sorted(read, key=lambda j: read_boxes[j][0]))
        num_wrong += Levenshtein.distance(expected, text)
    return num_wrong


def _score_line(line: TrueLine, own: list[ReadLine], above: list[ReadLine], before: str, is_doubled: bool) -> Score:
    """Score one true line by the lines read in its place, and by those of neighbours that were drawn over it.

    ``before`` is what was read of the line before, for labels.
    """
    expected = folded(line.text)
    text = "".join(part.text for part in own)
    covering = [part for part in above if fuzz.partial_ratio(expected, folded(part.text)) >= _STILL_READ]
    parts = own or covering
    read = text or " ".join(part.text for part in covering)
    found: list[tuple[str, str]] = [(n.kind, n.canonical) for n in find_numbers_in_lines([before, read])[1]]
    num_exact = 0
    for number in line.numbers:
        if (number.kind, number.value) in found:
            found.remove((number.kind, number.value))
            num_exact += 1
    is_marked = any(part.is_marked or part.conf < MARKED_BELOW for part in parts)
    is_silent = bool(parts) and not is_marked
    return Score(
        num_lines=1,
        num_exact_lines=int(folded(text) == expected and not is_doubled),
        num_lost_lines=int(not parts),
        num_doubled_lines=int(is_doubled),
        num_numbers=len(line.numbers),
        num_exact_numbers=num_exact,
        num_silently_wrong_numbers=len(line.numbers) - num_exact if is_silent else 0,
    )


def _turn_of(card: Card) -> float:
    """Give the angle of the card's longest line, in radians."""
    (x0, y0), (x1, y1), *_ = max(card.lines, key=lambda line: line.box[2] - line.box[0]).quad
    return math.atan2(y1 - y0, x1 - x0)


def _upright(quad: tuple[Point, ...], turn: float) -> UprightBox:
    """Turn a quad back and give the box around it."""
    cos, sin = math.cos(-turn), math.sin(-turn)
    xs = [x * cos - y * sin for x, y in quad]
    ys = [x * sin + y * cos for x, y in quad]
    return min(xs), min(ys), max(xs), max(ys)


def _common(a: UprightBox, b: UprightBox) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _area(box: UprightBox) -> float:
    return max((box[2] - box[0]) * (box[3] - box[1]), 1e-6)


def _share(inner: UprightBox, outer: UprightBox) -> float:
    return _common(inner, outer) / _area(inner)


def _overlap(a: UprightBox, b: UprightBox) -> float:
    return _common(a, b) / min(_area(a), _area(b))


def _place_of(box: UprightBox, places: list[UprightBox]) -> int | None:
    """Give the true line that a read line covers most; ``None`` if it touches none."""
    commons = [_common(box, place) for place in places]
    best = max(range(len(places)), key=commons.__getitem__, default=None)
    return None if best is None or commons[best] < 0.1 * min(_area(box), _area(places[best])) else best
