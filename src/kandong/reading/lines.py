"""From pixels to lines of text with their places, in reading order.

Owns: the order of the steps, and which of two readings of a line is kept. Must not know: files, what the text means.

Find boxes; turn the page if it stands on its side or head; join and lengthen boxes; read; look again at what was read
badly; part merged columns; put in order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from kandong.reading.columns import FoundLine, split_columns
from kandong.reading.downwards import tall_views
from kandong.reading.layout import reading_order
from kandong.reading.ocr import Ocr, without_grain
from kandong.reading.orientation import upright_page
from kandong.reading.pieces import free_room, grown_quad, join_pieces
from kandong.reading.quads import (
    Boxes,
    Quad,
    Quads,
    Rgb,
    crop_quad,
    is_tall,
    page_angle,
    turn_back,
    turn_quads,
    upright_boxes,
)
from kandong.reading.recogniser import RawLine
from kandong.reading.second_look import look_again
from kandong.reading.tiles import find_text

# So many boxes are read at most, from the top: a bound on the time that one hostile picture takes.
MAX_BOXES: Final = 1_500
# What is less sure than this and has no two characters is a drawing, not text.
_MIN_CONF: Final = 0.3
_MIN_CONF_SINGLE: Final = 0.75
# Where the detector itself is in doubt, the recogniser must be sure.
_MIN_CONF_WEAK: Final = 0.85
# What rules and borders are read as; three and more of these, and nothing else, are no text, nor is a line of which
# they are most and which is read unsurely, as grain along a border is.
_RULE: Final = frozenset("ー一—–-―_=~")
_MIN_RULE_CHARACTERS: Final = 3
_MOSTLY: Final = 0.6
_SURE_RULE_CONF: Final = 0.6


@dataclass(frozen=True)
class PageLines:
    """The lines of a picture in reading order.

    ``quarter_turns`` (anticlockwise) made the page upright; ``is_cut``: there were more boxes than are read.
    """

    lines: tuple[FoundLine, ...]
    quarter_turns: int = 0
    is_cut: bool = False


@dataclass(frozen=True)
class _View:
    """A way to look at box number ``index``: a crop to read."""

    index: int
    quad: Quad
    crop: Rgb
    runs_down: bool = False


def read_lines(rgb: Rgb, ocr: Ocr) -> PageLines:
    """Read all lines of a picture; quads are in its pixels, as it was given."""
    page, boxes, turns = upright_page(rgb, find_text(rgb, ocr.detect), ocr)
    is_cut = len(boxes) > MAX_BOXES
    if is_cut:
        highest_first = np.argsort(boxes.quads[:, :, 1].min(axis=1), kind="stable")[:MAX_BOXES]
        boxes = Boxes(boxes.quads[highest_first], boxes.is_weak[highest_first])
    boxes = join_pieces(boxes)
    read = _read_boxes(page, boxes, ocr)
    crops = [crop for _, crop in read]
    found = look_again([line for line, _ in read], crops, ocr, is_text=_is_text)
    level = turn_back(_quads_of(found), page_angle(boxes.quads))
    found = [line for line in split_columns(found, crops, level) if _is_text(line)]
    ordered = [found[i] for i in reading_order(_quads_of(found))]
    if turns:
        size = page.shape[1], page.shape[0]
        ordered = [replace(line, quad=turn_quads(line.quad[None], 4 - turns, size)[0]) for line in ordered]
    return PageLines(tuple(ordered), turns, is_cut)


def _read_boxes(page: Rgb, boxes: Boxes, ocr: Ocr) -> list[tuple[FoundLine, Rgb]]:
    """Read each box in all its views; gives each line in its best view, and the crop of that."""
    upright = upright_boxes(boxes.quads)
    views: list[_View] = []
    smooth = without_grain(page)

    def crops() -> Iterator[Rgb]:
        # Drawn by the recogniser while it reads the first ones.
        for index, quad in enumerate(boxes.quads):
            for view in _views_of(page, smooth, index, quad, free_room(upright, index, page.shape[1])):
                views.append(view)
                yield view.crop

    raws = ocr.read(crops())
    read = []
    for index, own in itertools.groupby(zip(views, raws, strict=True), key=lambda pair: pair[0].index):
        view, raw = _best(list(own))
        read.append((FoundLine(raw, view.quad, view.runs_down, bool(boxes.is_weak[index])), view.crop))
    return read


def _views_of(page: Rgb, smooth: Rgb, index: int, quad: Quad, free: tuple[float, float]) -> list[_View]:
    """Give the ways to look at a box: a tall one in up to three, any other as it is and lengthened to more ink.

    Ink is followed on the page without its grain, which else fills the gaps between glyphs and behind a line's end.
    """
    if is_tall(quad):
        return [_View(index, quad, crop, runs_down) for crop, runs_down in tall_views(page, quad)]
    wider = grown_quad(smooth, quad, free)
    return [_View(index, part, crop_quad(page, part)) for part in (quad, wider) if part is not None]


def _best(read: list[tuple[_View, RawLine]]) -> tuple[_View, RawLine]:
    """Choose among the readings of one box: the lengthened one if it says more, of a tall box the surest."""
    if is_tall(read[0][0].quad):
        return max(read, key=lambda pair: (pair[1].conf, len(pair[1].text)))
    return read[-1] if _says_more(read[-1][1], read[0][1]) else read[0]


def _quads_of(lines: list[FoundLine]) -> Quads:
    return np.array([line.quad for line in lines], dtype=np.float32).reshape(-1, 4, 2)


def _says_more(wide: RawLine, line: RawLine) -> bool:
    """Whether a reading of a lengthened box holds the old text, and more text about as surely.

    A round avatar beside a line is read as O or €: letters and signs alone are no more text.
    """
    old, new = line.text.replace(" ", ""), wide.text.replace(" ", "")
    place = new.find(old)
    if place < 0 and len(old) > 3:
        place = new.find(old[1:-1]) - 1
    if len(new) <= len(old) or place < 0 or wide.conf < line.conf - 0.05:
        return False
    # A 一 before a line is most often a rule; behind it, it may be that of 买一送一.
    added = new[:place].lstrip("一") + new[place + len(old) :]
    return any(_is_telling(character) for character in added)


def _is_telling(character: str) -> bool:
    return character.isdigit() or character in "，。、；：！？…￥¥%）》】”" or "\u3400" <= character <= "\u9fff"


def _is_text(line: FoundLine) -> bool:
    text = line.raw.text.strip()
    if len(text) >= _MIN_RULE_CHARACTERS and _is_rule(text, line.raw.conf):
        return False
    if line.is_weak:
        return len(text) > 1 and line.raw.conf >= _MIN_CONF_WEAK
    return bool(text) and line.raw.conf >= (_MIN_CONF_SINGLE if len(text) == 1 else _MIN_CONF)


def _is_rule(text: str, conf: float) -> bool:
    share = sum(character in _RULE for character in text) / len(text)
    return share == 1.0 or (share >= _MOSTLY and conf < _SURE_RULE_CONF)
