"""Lines of a picture that go on in the next line, put together so that a word broken by the edge of its box is found.

Owns: which lines belong together, and naming the places of a find in each of them. Must not know: rules, verdicts.

Careful on purpose: neighbours in a list, cells of a table, headlines and captions must not make a word that nobody
wrote. Only running text counts, a full line with the next one directly below it, and a label with its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from kandong.rules.report import Box, Evidence, Place, TextLine

# By the height of the lower of two boxes, which are about 1.25 times the size of the type.
_MAX_OVERLAP: Final = 0.35
_MAX_GAP: Final = 0.8
_MAX_HEIGHT_RATIO: Final = 1.3
_MAX_INDENT: Final = 2.6  # of a paragraph's first line
_SAME_EDGE: Final = 0.6
_FULL_TO: Final = 1.2  # a line is full where the next one is not longer than by this
_MIN_FULL_CHARACTERS: Final = 6
_MAX_LABEL_GAP: Final = 3.0
_MAX_LINES: Final = 8
_CONTACT_LABEL: Final = re.compile(
    r"(?:QQ|扣扣|企鹅|微信|[微薇]|(?<![A-Za-z])(?:vx|wx|v))(?:群|号|群号)?\s?[:：]\s?$", re.IGNORECASE
)
_CONTACT_ID: Final = re.compile(r"\s?[A-Za-z0-9][-_A-Za-z0-9]{4,19}\s?")
_LIST_MARK: Final = re.compile(r"\s*(?:\d{1,2}\s?[、.．)）]|[(（]\d{1,2}[)）]|[一二三四五六七八九十]、|[①-⑳])")


@dataclass(frozen=True)
class JoinedLines:
    """Lines that are one text; ``starts`` are the places in ``text`` where each begins."""

    lines: tuple[TextLine, ...]
    text: str
    starts: tuple[int, ...]

    def crosses(self, start: int, end: int) -> bool:
        """Tell whether a place of ``text`` reaches over the end of a line."""
        return any(start < border < end for border in self.starts[1:])

    def evidence_of(self, start: int, end: int) -> Evidence:
        """Give a place of ``text`` as evidence: the part in its first line, and where it goes on."""
        parts = list(self.parts(start, end))
        line, first = parts[0]
        confs = [line.conf for line, _ in parts if line.conf is not None]
        return Evidence(
            line.source,
            line.image_index,
            first.line_id,
            first.span,
            self.text[start:end],
            first.box,
            min(confs, default=None),
            tuple(place for _, place in parts[1:]),
        )

    def parts(self, start: int, end: int) -> Iterator[tuple[TextLine, Place]]:
        """Give the lines that a place of ``text`` lies in, each with its share."""
        for line, begin in zip(self.lines, self.starts, strict=True):
            low, high = max(start - begin, 0), min(end - begin, len(line.text))
            if low < high:
                yield line, place_of(line, low, high)


def place_of(line: TextLine, start: int, end: int) -> Place:
    """Give characters ``start`` to ``end`` of a line, with their box where boxes of characters are known."""
    box = line.box
    if line.character_boxes is not None and len(line.character_boxes) == len(line.text) and start < end:
        boxes = line.character_boxes[start:end]
        box = (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))
    return Place(line.line_id, (start, end), line.text[start:end], box)


def joined_lines(lines: Sequence[TextLine]) -> list[JoinedLines]:
    """Find runs of lines that go on in the next one, in the order of reading; at most eight lines in each."""
    runs: list[list[TextLine]] = [[line] for line in lines[:1]]
    for before, line in pairwise(lines):
        if len(runs[-1]) < _MAX_LINES and _goes_on(before, line):
            runs[-1].append(line)
        else:
            runs.append([line])
    return [_joined(run) for run in runs if len(run) > 1]


def _joined(run: Sequence[TextLine]) -> JoinedLines:
    starts = tuple(accumulate((len(line.text) for line in run[:-1]), initial=0))
    return JoinedLines(tuple(run), "".join(line.text for line in run), starts)


def _goes_on(before: TextLine, line: TextLine) -> bool:
    if before.source != "image_text" or line.source != "image_text" or before.image_index != line.image_index:
        return False
    if before.box is None or line.box is None or not before.text or not line.text:
        return False
    if _CONTACT_LABEL.search(before.text) and _CONTACT_ID.fullmatch(line.text):
        return _is_below(before.box, line.box) or _is_beside(before.box, line.box)
    is_inside_words = before.text[-1].isalnum() and line.text[0].isalnum() and not _LIST_MARK.match(line.text)
    is_running_text = is_inside_words and len(before.text) >= _MIN_FULL_CHARACTERS
    return is_running_text and _is_below(before.box, line.box) and _is_full(before.box, line.box)


def _heights(a: Box, b: Box) -> tuple[float, float]:
    """Give the lower and the larger of two heights."""
    low, high = sorted((a[3] - a[1], b[3] - b[1]))
    return max(low, 1e-6), high


def _is_below(above: Box, below: Box) -> bool:
    """Whether two lines of one size stand directly below each other and begin at one edge."""
    low, high = _heights(above, below)
    gap, indent = (below[1] - above[3]) / low, (above[0] - below[0]) / low
    is_one_size = high <= _MAX_HEIGHT_RATIO * low
    return is_one_size and -_MAX_OVERLAP <= gap <= _MAX_GAP and -_SAME_EDGE <= indent <= _MAX_INDENT


def _is_full(above: Box, below: Box) -> bool:
    return above[2] >= below[2] - _FULL_TO * _heights(above, below)[0]


def _is_beside(left: Box, right: Box) -> bool:
    low, high = _heights(left, right)
    shared = min(left[3], right[3]) - max(left[1], right[1])
    return (
        high <= _MAX_HEIGHT_RATIO * low and shared >= 0.6 * low and -low <= right[0] - left[2] <= _MAX_LABEL_GAP * low
    )
