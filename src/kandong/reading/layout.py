"""Reading order: lines of text put in the order in which a person reads them.

Owns: rows, columns, tables, by geometry alone. Must not know: pixels, what the lines say.

The page is levelled first. It falls into rows of lines that overlap in height; neighbouring rows that share a gutter
form a block. A block of two columns of running text is read column by column, a table row by row.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kandong.reading.quads import Quads, page_angle, turn_back, upright_boxes

Boxes = NDArray[np.float32]  # (n, 4): x0, y0, x1, y1

# Lines whose heights overlap by this share of the smaller stand in one row.
_ROW_SHARE: Final = 0.5
# Columns of text fill this share of their width in their better half of lines; cells of a table do not.
_RUNNING_FILL: Final = 0.5
_MIN_COLUMN_LINES: Final = 3
# Detectors draw boxes wider than the type by about this share of their height at each end.
_MARGIN: Final = 0.2
# Where two columns stand beside each other, the sparser has at least this share of the lines of the denser.
_MIN_DENSITY: Final = 0.7
# In this many rows or more, this share of boxes may overreach into a gutter.
_MANY_ROWS: Final = 6
_MAX_OVERREACHING: Final = 0.2
# Lone lines below a block belong to it within these ratios of pitch and height.
_SAME_PITCH: Final = 1.15
_SAME_SIZE: Final = 1.2
# Lone lines beside each other in width follow this closely, by their height, where columns are not level.
_INTERLEAVED: Final = 0.25


@dataclass(frozen=True)
class Row:
    """Lines that stand beside each other, from left to right, by their numbers."""

    members: tuple[int, ...]
    top: float
    bottom: float


def reading_order(quads: Quads) -> list[int]:
    """Give the numbers of the quads in reading order."""
    if not len(quads):
        return []
    boxes = upright_boxes(turn_back(quads, page_angle(quads)))
    rows = find_rows(boxes)
    order: list[int] = []
    start = 0
    while start < len(rows):
        end, gutter = _block_from(rows, boxes, start)
        block = rows[start:end]
        if gutter is not None and _is_running_text(block, boxes, gutter):
            members = [m for row in block for m in row.members]
            left, right = _sides(members, boxes, gutter)
            order += _by_rows(boxes, left) + _by_rows(boxes, right)
        else:
            order += [m for row in block for m in row.members]
        start = end
    return order


def find_rows(boxes: Boxes) -> list[Row]:
    """Put lines that overlap in height into rows, from top to bottom."""
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    rows: list[list[int]] = []
    spans: list[tuple[float, float]] = []
    for index in np.argsort(middles, kind="stable"):
        top, bottom = float(boxes[index, 1]), float(boxes[index, 3])
        if rows:
            shared = min(bottom, spans[-1][1]) - max(top, spans[-1][0])
            smaller = min(bottom - top, spans[-1][1] - spans[-1][0])
            beside = all(_are_beside(boxes[index], boxes[other]) for other in rows[-1])
            if beside and shared >= _ROW_SHARE * max(smaller, 1e-6):
                rows[-1].append(int(index))
                continue
        rows.append([int(index)])
        spans.append((top, bottom))
    found = []
    for members, (top, bottom) in zip(rows, spans, strict=True):
        ordered = sorted(members, key=lambda m: float(boxes[m, 0]))
        found.append(Row(tuple(ordered), top, bottom))
    return found


def common_gutters(rows: list[Row], boxes: Boxes) -> list[tuple[float, float]]:
    """Give the x intervals between the outermost lines that no line of these rows covers.

    In many rows, a few boxes that reach too far into the gutter are allowed; a lone line across it never is.
    """
    allowed = int(_MAX_OVERREACHING * len(rows)) if len(rows) >= _MANY_ROWS else 0
    events = []
    for row in rows:
        weight = 1 if len(row.members) > 1 else allowed + 1
        for member in row.members:
            left, right = _core(boxes[member])
            events += [(left, weight), (right, -weight)]
    events.sort()
    gaps = []
    covered = 0
    for (x, weight), (following, _) in itertools.pairwise(events):
        covered += weight
        if covered <= allowed and following > x:
            gaps.append((x, following))
    height = float(np.median([boxes[m, 3] - boxes[m, 1] for row in rows for m in row.members]))
    return [gap for gap in _merged(gaps, height / 2 if allowed else 0.0) if _has_lines_on_both_sides(gap, rows, boxes)]


def _merged(gaps: list[tuple[float, float]], slack_px: float) -> list[tuple[float, float]]:
    """Join intervals that touch, or nearly."""
    joined: list[tuple[float, float]] = []
    for left, right in gaps:
        if joined and left <= joined[-1][1] + slack_px:
            joined[-1] = (joined[-1][0], right)
        else:
            joined.append((left, right))
    return joined


def _has_lines_on_both_sides(gap: tuple[float, float], rows: list[Row], boxes: Boxes) -> bool:
    """Whether at least half of the rows with several lines have one on each side of the gap's middle."""
    middle = sum(gap) / 2
    several = [[(boxes[m, 0] + boxes[m, 2]) / 2 for m in row.members] for row in rows if len(row.members) > 1]
    if not several:
        lone = [(boxes[row.members[0], 0] + boxes[row.members[0], 2]) / 2 for row in rows]
        return bool(min(lone) < middle < max(lone))
    num_parted = sum(bool(min(centers) < middle < max(centers)) for centers in several)
    return 2 * num_parted >= len(several)


def _core(box: NDArray[np.float32]) -> tuple[float, float]:
    """Give the x interval of a line without the margin that detectors add."""
    margin = min(_MARGIN * (box[3] - box[1]), 0.4 * (box[2] - box[0]))
    return float(box[0] + margin), float(box[2] - margin)


def _block_from(rows: list[Row], boxes: Boxes, start: int) -> tuple[int, float | None]:
    """Give the end of the block that begins with a row, and its gutter if it has exactly one."""
    if len(rows[start].members) < 2 and not _is_interleaved(rows, boxes, start):
        return start + 1, None
    end = start + (1 if len(rows[start].members) > 1 else 2)
    gutters = common_gutters(rows[start:end], boxes)
    last_several = end
    while end < len(rows):
        wider = common_gutters(rows[start : end + 1], boxes)
        if len(wider) < len(gutters) and not wider:
            break
        if len(wider) < len(gutters) and len(rows[end].members) > 1 and end - start >= _MIN_COLUMN_LINES:
            break
        gutters = wider
        end += 1
        if len(rows[end - 1].members) > 1 or _is_interleaved(rows, boxes, end - 2):
            last_several = end
    # Lone lines after the last full row belong to the block only if they stand in one of its columns close below.
    end = _with_lone_lines(rows, start, last_several, end)
    gutters = common_gutters(rows[start:end], boxes)
    return end, (sum(gutters[0]) / 2 if len(gutters) == 1 else None)


def _is_interleaved(rows: list[Row], boxes: Boxes, index: int) -> bool:
    """Whether a row and the next are lone lines of columns that are not level with each other."""
    if index + 1 >= len(rows) or len(rows[index].members) + len(rows[index + 1].members) != 2:
        return False
    upper, lower = boxes[rows[index].members[0]], boxes[rows[index + 1].members[0]]
    is_apart = min(upper[2], lower[2]) <= max(upper[0], lower[0])
    return bool(is_apart and lower[1] <= upper[3] + _INTERLEAVED * (upper[3] - upper[1]))


def _with_lone_lines(rows: list[Row], start: int, last_several: int, end: int) -> int:
    """Give the end of a block with the lone lines below it that go on in its pitch and size."""
    pitches = [b.top - a.top for a, b in itertools.pairwise(rows[start:last_several])]
    heights = [row.bottom - row.top for row in rows[start:last_several]]
    pitch, height = float(np.median(pitches or [0])), float(np.median(heights))
    stop = last_several
    while stop < end:
        goes_on = rows[stop].top - rows[stop - 1].top <= _SAME_PITCH * pitch
        size = (rows[stop].bottom - rows[stop].top) / max(height, 1e-6)
        if not goes_on or not 1 / _SAME_SIZE <= size <= _SAME_SIZE:
            break
        stop += 1
    return stop


def _is_running_text(block: list[Row], boxes: Boxes, gutter: float) -> bool:
    """Whether a block is two columns of text, rather than a table of labels and values."""
    sides = _sides([m for row in block for m in row.members], boxes, gutter)
    if min(map(len, sides)) < _MIN_COLUMN_LINES:
        return False
    top = max(min(boxes[m, 1] for m in side) for side in sides)
    bottom = min(max(boxes[m, 3] for m in side) for side in sides)
    counts = [sum(boxes[m, 3] > top and boxes[m, 1] < bottom for m in side) for side in sides]
    if min(counts) < _MIN_DENSITY * max(counts):
        return False
    for side in sides:
        span = max(boxes[m, 2] for m in side) - min(boxes[m, 0] for m in side)
        widths = [boxes[m, 2] - boxes[m, 0] for m in side]
        if np.median(widths) < _RUNNING_FILL * span:
            return False
    spans = [max(boxes[m, 2] for m in side) - min(boxes[m, 0] for m in side) for side in sides]
    return bool(min(spans) >= 0.4 * max(spans))


def _sides(members: list[int], boxes: Boxes, gutter: float) -> tuple[list[int], list[int]]:
    left = [m for m in members if boxes[m, 0] + boxes[m, 2] < 2 * gutter]
    return left, [m for m in members if boxes[m, 0] + boxes[m, 2] >= 2 * gutter]


def _by_rows(boxes: Boxes, members: list[int]) -> list[int]:
    if not members:
        return []
    return [members[m] for row in find_rows(boxes[members]) for m in row.members]


def _are_beside(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Whether two boxes overlap in width by less than half of the narrower."""
    shared = min(a[2], b[2]) - max(a[0], b[0])
    return bool(shared <= 0.5 * min(a[2] - a[0], b[2] - b[0]))
