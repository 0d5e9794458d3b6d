"""From pixels to lines of text with their places, in reading order.

Owns: the order of the steps, and which of two readings of a line is kept. Must not know: files, what the text means.

Find boxes; turn the page if it stands on its side or head; join and lengthen boxes; read; look again at what was read
badly; part merged columns; put in order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from kandong.reading.columns import FoundLine, split_columns
from kandong.reading.downwards import read_tall
from kandong.reading.layout import reading_order
from kandong.reading.ocr import Ocr, RawLine
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
from kandong.reading.tiles import find_text

# So many boxes are read at most, from the top: a bound on the time that one hostile picture takes.
MAX_BOXES: Final = 1_500
# What is less sure than this and has no two characters is a drawing, not text.
_MIN_CONF: Final = 0.3
_MIN_CONF_SINGLE: Final = 0.75
# Where the detector itself is in doubt, the recogniser must be sure.
_MIN_CONF_WEAK: Final = 0.85


@dataclass(frozen=True)
class PageLines:
    """The lines of a picture in reading order.

    ``quarter_turns`` (anticlockwise) made the page upright; ``is_cut``: there were more boxes than are read.
    """

    lines: tuple[FoundLine, ...]
    quarter_turns: int = 0
    is_cut: bool = False


def read_lines(rgb: Rgb, ocr: Ocr) -> PageLines:
    """Read all lines of a picture; quads are in its pixels, as it was given."""
    page, boxes, turns = upright_page(rgb, find_text(rgb, ocr.detect), ocr)
    is_cut = len(boxes) > MAX_BOXES
    if is_cut:
        highest_first = np.argsort(boxes.quads[:, :, 1].min(axis=1), kind="stable")[:MAX_BOXES]
        boxes = Boxes(boxes.quads[highest_first], boxes.is_weak[highest_first])
    boxes = join_pieces(boxes)
    upright = upright_boxes(boxes.quads)
    read = []
    for index, (quad, is_weak) in enumerate(zip(boxes.quads, boxes.is_weak, strict=True)):
        line, crop = _read_one(page, quad, free_room(upright, index, page.shape[1]), ocr)
        read.append((replace(line, is_weak=bool(is_weak)), crop))
    found, crops = [line for line, _ in read], [crop for _, crop in read]
    level = turn_back(_quads_of(found), page_angle(boxes.quads))
    found = [line for line in split_columns(found, crops, level) if _is_text(line)]
    ordered = [found[i] for i in reading_order(_quads_of(found))]
    if turns:
        size = page.shape[1], page.shape[0]
        ordered = [replace(line, quad=turn_quads(line.quad[None], 4 - turns, size)[0]) for line in ordered]
    return PageLines(tuple(ordered), turns, is_cut)


def _read_one(page: Rgb, quad: Quad, free: tuple[float, float], ocr: Ocr) -> tuple[FoundLine, Rgb]:
    """Read one box, lengthened where that gives more text; gives the line and the crop it was read from."""
    if is_tall(quad):
        raw, crop, runs_down = read_tall(page, quad, ocr)
        return FoundLine(raw, quad, runs_down), crop
    crop = crop_quad(page, quad)
    line = FoundLine(ocr.read([crop])[0], quad)
    wider = grown_quad(page, quad, free)
    if wider is not None:
        wide_crop = crop_quad(page, wider)
        wide = FoundLine(ocr.read([wide_crop])[0], wider)
        if _says_more(wide.raw, line.raw):
            return wide, wide_crop
    return line, crop


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
    added = new[:place] + new[place + len(old) :]
    return any(_is_telling(character) for character in added)


def _is_telling(character: str) -> bool:
    return character.isdigit() or character in "，。、；：！？…￥¥%）》】”" or "\u3400" <= character <= "\u9fff"


def _is_text(line: FoundLine) -> bool:
    text = line.raw.text.strip()
    if line.is_weak:
        return len(text) > 1 and line.raw.conf >= _MIN_CONF_WEAK
    return bool(text) and line.raw.conf >= (_MIN_CONF_SINGLE if len(text) == 1 else _MIN_CONF)
