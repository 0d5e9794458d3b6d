"""Lines that the detector drew across a gutter, parted again.

Owns: where a recognised line falls into two. Must not know: reading order, what the text means.

A gap inside a line is a gutter if it is wide by itself, or if other lines have a gap or begin at the same place.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kandong.reading.quads import Quad, Quads, Rgb, part_of_quad, quad_size
from kandong.reading.recogniser import RawCharacter, RawLine

# By the height of the box, which is about 1.25 times the size of the type.
_WIDE_GAP: Final = 1.6
_GUTTER_GAP: Final = 0.62
_PUNCTUATION_EXTRA: Final = 0.4
_ALIGNED: Final = 0.35
_MIN_WITNESSES: Final = 2
_AFTER: Final = frozenset("，。、：；！？）》】”’,.:;!?)")
_BEFORE: Final = frozenset("（《【“‘(")


@dataclass(frozen=True)
class FoundLine:
    """A recognised line and its place; character centres are fractions of the quad's width.

    Where the line ``runs_down`` on an upright page, they are fractions of its height, from the top. ``is_weak``: the
    detector was not sure of it.
    """

    raw: RawLine
    quad: Quad
    runs_down: bool = False
    is_weak: bool = False


@dataclass(frozen=True)
class Gap:
    """Blank columns between two characters: before character ``index``, as fractions of the width and in heights."""

    index: int
    left: float
    right: float
    heights: float
    x_px: float  # where the text goes on, in the levelled picture


def split_columns(lines: list[FoundLine], crops: list[Rgb], level: Quads) -> list[FoundLine]:
    """Part lines at gutters. ``crops`` are the straightened lines, ``level`` their quads on the levelled page."""
    gaps = [_gaps(line, crop, quad) for line, crop, quad in zip(lines, crops, level, strict=True)]
    starts = np.array([quad[:, 0].min() for quad in level], dtype=np.float32)
    parted: list[FoundLine] = []
    for index, line in enumerate(lines):
        height = quad_size(line.quad)[1]
        cuts = [
            gap
            for gap in gaps[index]
            if gap.heights >= _WIDE_GAP or _num_witnesses(gap, index, gaps, starts, height) >= _MIN_WITNESSES
        ]
        parted += _parts(line, cuts)
    return parted


def _gaps(line: FoundLine, crop: Rgb, level: Quad) -> list[Gap]:
    """List the gaps of a line that might be gutters."""
    characters = line.raw.characters
    height, width = crop.shape[:2]
    if line.runs_down or len(characters) < 2 or width < 4 * height:
        return []
    left, span = float(level[:, 0].min()), float(level[:, 0].max() - level[:, 0].min())
    ink = np.flatnonzero(_has_ink(crop))
    centers = np.array([c.center for c in characters])
    gaps = []
    for before, after in itertools.pairwise(ink):
        heights = (after - before - 1) / height
        if heights < _GUTTER_GAP:
            continue
        index = int(np.searchsorted(centers, (before + after) / 2 / width))
        if index in (0, len(characters)):
            continue
        loose = (characters[index - 1].text in _AFTER) + (characters[index].text in _BEFORE)
        if heights < _GUTTER_GAP + _PUNCTUATION_EXTRA * loose:
            continue
        gaps.append(Gap(index, (before + 1) / width, after / width, heights, left + span * after / width))
    return gaps


def _has_ink(crop: Rgb) -> NDArray[np.bool_]:
    """Tell which columns of a line hold ink; a thin rule over the whole height is none."""
    gray: Any = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)
    values = gray.astype(np.float32)
    edge = max(1, len(values) // 10)
    ground = np.median(np.concatenate([values[:edge], values[-edge:]]), axis=0)
    away = np.abs(values - ground)
    contrast = max(12.0, float(np.percentile(away, 97)))
    return np.asarray((away[edge:-edge] > 0.35 * contrast).sum(axis=0) >= 1)


def _num_witnesses(gap: Gap, index: int, gaps: list[list[Gap]], starts: NDArray[np.float32], height: float) -> int:
    near = np.abs(starts - gap.x_px) <= _ALIGNED * height
    near[index] = False
    also = sum(
        any(abs(other.x_px - gap.x_px) <= _ALIGNED * height for other in others)
        for number, others in enumerate(gaps)
        if number != index
    )
    return int(near.sum()) + also


def _parts(line: FoundLine, cuts: list[Gap]) -> list[FoundLine]:
    if not cuts:
        return [line]
    edges = [(0.0, 0), *((cut.right, cut.index) for cut in cuts)]
    ends = [*((cut.left, cut.index) for cut in cuts), (1.0, len(line.raw.characters))]
    parts = []
    pad = 0.1 * quad_size(line.quad)[1] / max(quad_size(line.quad)[0], 1e-6)
    for (begin, first), (end, last) in zip(edges, ends, strict=True):
        begin, end = max(0.0, begin - pad), min(1.0, end + pad)
        characters = tuple(_within(c, begin, end) for c in line.raw.characters[first:last])
        if "".join(c.text for c in characters).strip():
            parts.append(replace(line, raw=RawLine(characters), quad=part_of_quad(line.quad, begin, end)))
    return parts


def _within(character: RawCharacter, begin: float, end: float) -> RawCharacter:
    center = (character.center - begin) / max(end - begin, 1e-6)
    return replace(character, center=float(np.clip(center, 0, 1)))
