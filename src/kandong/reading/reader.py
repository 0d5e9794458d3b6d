"""Reading a picture: words, codes and what deserves attention in them, as one report.

Owns: corrections, ids, confidence marks, and keeping results. Must not know: files, the command line, what is judged.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

import numpy as np

from kandong.reading.codes import Code, find_codes
from kandong.reading.columns import FoundLine
from kandong.reading.glyphs import GlyphChange, currency_changes, full_stop_change, glyph_changes, is_simplified_print
from kandong.reading.injection import find_instructions_in_lines
from kandong.reading.lines import read_lines
from kandong.reading.numbered import mark_changes
from kandong.reading.numbers import find_numbers_in_lines
from kandong.reading.ocr import pipeline_digest_parts, shared_ocr
from kandong.reading.quads import Rgb, crop_quad, overlap_shares, part_of_quad, quad_size, upright_boxes
from kandong.reading.recogniser import RawCharacter
from kandong.reading.report import (
    Box,
    Character,
    Correction,
    ImageReading,
    InjectionMark,
    PlacedNumber,
    ReadReport,
    TextLine,
)
from kandong.reading.strikes import is_struck
from kandong.reading.words import WordChange, word_changes
from kandong.types import Picture

# Raised by hand when the same pixels may give another result.
PIPELINE_VERSION: Final = 7
# A line is marked when it is less sure than this as a whole, or in any one character.
LOW_CONF: Final = 0.85
LOW_CHARACTER_CONF: Final = 0.5
# A number counts as verified by OCR when each of its characters is at least this sure.
SURE_NUMBER_CONF: Final = 0.8
_CODE_SHARE: Final = 0.7
_KEPT_READINGS: Final = 128
# Width of a glyph by the height of its line's box.
_WIDE_GLYPH: Final = 0.85
_NARROW_GLYPH: Final = 0.5
# Half of the room in which a stroke through a single glyph is looked for, by the height of its line.
_ONE_GLYPH: Final = 0.25
# What a number is without its stroke; a struck 券后价 stays one.
_REPLACED_BY_STROKE: Final = (None, "current", "from")

_kept: OrderedDict[str, ImageReading] = OrderedDict()
_kept_lock = threading.Lock()


def read_pictures(pictures: Sequence[Picture]) -> ReadReport:
    """Read the pictures of one post, in order. Safe to call from many threads; results are kept by content."""
    return ReadReport(tuple(read_picture(picture, index) for index, picture in enumerate(pictures)))


def read_picture(picture: Picture, index: int = 0) -> ImageReading:
    """Read one picture; ``index`` is its place in the post. Errors: ``ModelError`` where OCR weights are missing."""
    key = picture.digest
    with _kept_lock:
        known = _kept.get(key)
        if known is not None:
            _kept.move_to_end(key)
            return replace(known, index=index)
    reading = _read(picture)
    with _kept_lock:
        _kept[key] = reading
        while len(_kept) > _KEPT_READINGS:
            _kept.popitem(last=False)
    return replace(reading, index=index)


def pipeline_digest() -> str:
    """Give a short digest of all that determines a reading apart from the pixels."""
    parts = "\n".join((f"reading={PIPELINE_VERSION}", *pipeline_digest_parts()))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _read(picture: Picture) -> ImageReading:
    with ThreadPoolExecutor(1, thread_name_prefix="codes") as beside:
        searched = beside.submit(find_codes, picture.rgb)
        page = read_lines(picture.rgb, shared_ocr())
        codes, has_more_codes = searched.result()
    found = _outside_codes(page.lines, codes)
    size = picture.width_px, picture.height_px
    lines = tuple(
        _text_line(f"L{n}", line, changes, size)
        for n, (line, changes) in enumerate(zip(found, _changes(found), strict=True), start=1)
    )
    marks = find_instructions_in_lines([line.text for line in lines])
    return ImageReading(
        index=0,
        width_px=picture.width_px,
        height_px=picture.height_px,
        sha256=picture.digest,
        full_text="\n".join(line.text for line in lines),
        truncated=has_more_codes or page.is_cut,
        rotated_degrees=(360 - 90 * page.quarter_turns) % 360,
        lines=lines,
        codes=tuple(codes),
        numbers=_placed_numbers(lines, found, picture.rgb),
        injection=tuple(InjectionMark(lines[number].id, pattern) for number, pattern in marks),
    )


def _placed_numbers(lines: Sequence[TextLine], found: Sequence[FoundLine], rgb: Rgb) -> tuple[PlacedNumber, ...]:
    """Find the numbers of the lines, each with its line and the box around its characters; struck prices are marked."""
    placed = []
    numbers_of = find_numbers_in_lines([line.text for line in lines])
    for line, source, numbers in zip(lines, found, numbers_of, strict=True):
        for number in numbers:
            conf = line.conf_of(*number.span)
            verified_by = ("ocr",) if conf >= SURE_NUMBER_CONF else ()
            is_struck = number.kind == "price" and _is_struck(rgb, source, *number.span)
            if is_struck and number.price_kind in _REPLACED_BY_STROKE:
                number = replace(number, price_kind="original")
            placed.append(PlacedNumber(number, line.id, line.box_of(*number.span), conf, verified_by, is_struck))
    return tuple(placed)


def _is_struck(rgb: Rgb, line: FoundLine, start: int, end: int) -> bool:
    """Look for a stroke through characters ``start`` to ``end`` of a line's text, which begins without spaces."""
    if line.runs_down:
        return False
    raw = line.raw.text
    before = len(raw) - len(raw.lstrip())
    centers = [c.center for c in line.raw.characters[before + start : before + end]]
    # From the middle of the first glyph to that of the last: there are gaps between, which only a stroke fills.
    room = _ONE_GLYPH * min(quad_size(line.quad)) / max(quad_size(line.quad)) if len(centers) == 1 else 0.0
    return is_struck(crop_quad(rgb, line.quad), centers[0] - room, centers[-1] + room)


def _outside_codes(lines: Sequence[FoundLine], codes: Sequence[Code]) -> list[FoundLine]:
    """Leave out what looks like letters among the modules of a decoded code."""
    if not lines or not codes:
        return list(lines)
    boxes = upright_boxes(np.array([line.quad for line in lines], dtype=np.float32))
    covered = overlap_shares(boxes, np.array([code.box for code in codes], dtype=np.float32))
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    code_areas = np.array([(c.box[2] - c.box[0]) * (c.box[3] - c.box[1]) for c in codes])
    is_inside = ((covered > _CODE_SHARE) & (areas[:, None] < code_areas[None])).any(axis=1)
    return [line for line, inside in zip(lines, is_inside, strict=True) if not inside]


def _changes(lines: Sequence[FoundLine]) -> list[list[GlyphChange | WordChange]]:
    """Name for each line of a picture the characters to put right, at most one change for each."""
    is_simplified = is_simplified_print([line.raw.text for line in lines])
    known = [_trimmed(line) for line in lines]
    texts = ["".join(c.text for c in characters) for characters in known]
    changes = []
    for characters, text, mark in zip(known, texts, mark_changes(known), strict=True):
        glyphs = [
            *glyph_changes(text, [c.runner_up for c in characters], simplified_print=is_simplified),
            *currency_changes(text, [{other for other, _ in c.others} for c in characters]),
            full_stop_change(text, characters[-1].others if characters else ()),
        ]
        own: dict[int, GlyphChange | WordChange] = {change.index: change for change in word_changes(characters)}
        # What is known of a glyph counts more than what makes a word.
        own |= {change.index: change for change in (*glyphs, mark) if change is not None}
        changes.append([own[index] for index in sorted(own)])
    return changes


def _trimmed(line: FoundLine) -> list[RawCharacter]:
    """Give the characters without spaces before and behind."""
    characters = list(line.raw.characters)
    while characters and characters[0].text.isspace():
        characters.pop(0)
    while characters and characters[-1].text.isspace():
        characters.pop()
    return characters


def _text_line(
    line_id: str, line: FoundLine, changes: Sequence[GlyphChange | WordChange], size_px: tuple[int, int]
) -> TextLine:
    characters = _trimmed(line)
    raw = "".join(c.text for c in characters)
    texts = list(raw)
    confs = [round(c.conf, 4) for c in characters]
    for change in changes:
        texts[change.index] = change.text
        if isinstance(change, WordChange):
            confs[change.index] = round(change.conf, 4)
    conf = round(float(np.mean(confs)), 4)
    boxes = _character_boxes(line, [c.center for c in characters], raw, size_px)
    return TextLine(
        id=line_id,
        text="".join(texts),
        raw_text=raw,
        conf=conf,
        low_conf=conf < LOW_CONF or min(confs) < LOW_CHARACTER_CONF,
        box=_box_around(line.quad, size_px),
        corners=tuple((round(float(x)), round(float(y))) for x, y in line.quad),
        chars=tuple(Character(*values) for values in zip(texts, confs, boxes, strict=True)),
        corrections=tuple(Correction(c.index, c.index + 1, raw[c.index], c.text, c.reason) for c in changes),
    )


def _character_boxes(line: FoundLine, centers: list[float], text: str, size_px: tuple[int, int]) -> list[Box]:
    """Give each character the room around its centre, up to halfway to its neighbours."""
    width, height = quad_size(line.quad)
    along, across = max(width, height), min(width, height)
    boxes = []
    for index, (center, character) in enumerate(zip(centers, text, strict=True)):
        half = (_NARROW_GLYPH if character.isascii() else _WIDE_GLYPH) * across / max(along, 1e-6) / 2
        left = max(center - half, (centers[index - 1] + center) / 2 if index else 0.0)
        right = min(center + half, (center + centers[index + 1]) / 2 if index + 1 < len(centers) else 1.0)
        boxes.append(_box_around(_part_along(line, left, right), size_px))
    return boxes


def _part_along(line: FoundLine, left: float, right: float) -> np.ndarray:
    """Cut a piece out of a line between two fractions of its length, also where the line runs downwards."""
    if not line.runs_down:
        return part_of_quad(line.quad, left, right)
    # Read from its top to its bottom.
    turned = np.roll(line.quad, -1, axis=0)  # top right first: the line's own top left
    return part_of_quad(turned, left, right)


def _box_around(quad: np.ndarray, size_px: tuple[int, int]) -> Box:
    width, height = size_px
    low, high = np.floor(quad.min(axis=0)), np.ceil(quad.max(axis=0))
    x0, y0 = int(np.clip(low[0], 0, width - 1)), int(np.clip(low[1], 0, height - 1))
    return x0, y0, int(np.clip(high[0], x0 + 1, width)), int(np.clip(high[1], y0 + 1, height))
