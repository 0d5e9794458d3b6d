"""What was read in pictures, as typed values.

Owns: the record and its JSON form. Must not know: how it was read, what is done with it.
Places are pixels of the picture as a person sees it; ``box`` is x0, y0, x1, y1 with the last two exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kandong.reading.codes import Code
from kandong.reading.numbers import FoundNumber

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Character:
    """One character of a line with its own confidence and box."""

    text: str
    conf: float
    box: Box


@dataclass(frozen=True)
class Correction:
    """Characters ``start`` to ``end`` of a line that were put right.

    ``reason``: traditional, door, currency, case, list (the mark after its number) or word.
    """

    start: int
    end: int
    raw: str
    text: str
    reason: str


@dataclass(frozen=True)
class TextLine:
    """One line of text.

    ``id`` is L1, L2, … in reading order, unique within its picture. ``chars`` has an entry for each character of
    ``text``. ``raw_text`` is what the recogniser gave, before corrections. ``corners`` go clockwise from the text's top
    left, so they also tell how a slanted line lies.
    """

    id: str
    text: str
    raw_text: str
    conf: float
    low_conf: bool
    box: Box
    corners: tuple[tuple[int, int], ...]
    chars: tuple[Character, ...]
    corrections: tuple[Correction, ...] = ()

    def box_of(self, start: int, end: int) -> Box:
        """Give the box around characters ``start`` to ``end``; the line's box if there are none."""
        boxes = [character.box for character in self.chars[start:end]]
        if not boxes:
            return self.box
        x0, y0, x1, y1 = zip(*boxes, strict=True)
        return min(x0), min(y0), max(x1), max(y1)

    def conf_of(self, start: int, end: int) -> float:
        """Give the lowest confidence among characters ``start`` to ``end``; the line's if there are none."""
        return min((character.conf for character in self.chars[start:end]), default=self.conf)


@dataclass(frozen=True)
class InjectionMark:
    """A line that reads like an instruction to a language model, and the name of the pattern that it fits."""

    line_id: str
    pattern: str


@dataclass(frozen=True)
class PlacedNumber:
    """A number and where it stands: its line, the box around its characters, and the least sure of these.

    ``verified_by`` names what agrees on it: ("ocr",) where every character was read surely, else nothing yet.
    ``is_struck``: a stroke runs through this price.
    """

    number: FoundNumber
    line_id: str
    box: Box
    conf: float
    verified_by: tuple[str, ...]
    is_struck: bool = False


@dataclass(frozen=True)
class ImageReading:
    """Everything that was read in one picture.

    ``sha256`` is ``Picture.digest``. ``full_text`` is the text of all lines, one a row. ``truncated`` says that lines
    or codes over the limits were left out. ``rotated_degrees`` is by how much the page had to be turned clockwise.
    """

    index: int
    width_px: int
    height_px: int
    sha256: str
    full_text: str
    truncated: bool
    rotated_degrees: int
    lines: tuple[TextLine, ...]
    codes: tuple[Code, ...]
    numbers: tuple[PlacedNumber, ...]
    injection: tuple[InjectionMark, ...]

    def line(self, line_id: str) -> TextLine:
        """Give a line by its id. Errors: ``KeyError``."""
        for line in self.lines:
            if line.id == line_id:
                return line
        raise KeyError(line_id)

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {
            "index": self.index,
            "width_px": self.width_px,
            "height_px": self.height_px,
            "sha256": self.sha256,
            "full_text": self.full_text,
            "truncated": self.truncated,
            "rotated_degrees": self.rotated_degrees,
            "lines": [line_to_dict(line) for line in self.lines],
            "codes": [
                {"type": code.type, "text": code.text, "host": code.host, "box": list(code.box)} for code in self.codes
            ],
            "numbers": [number_to_dict(number) for number in self.numbers],
            "injection": [{"line_id": mark.line_id, "pattern": mark.pattern} for mark in self.injection],
        }


@dataclass(frozen=True)
class ReadReport:
    """What was read in the pictures of one post, in their order."""

    images: tuple[ImageReading, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {"images": [image.to_dict() for image in self.images]}


def number_to_dict(placed: PlacedNumber) -> dict[str, Any]:
    """Give the JSON form of a number."""
    return placed.number.to_dict() | {
        "line_id": placed.line_id,
        "box": list(placed.box),
        "conf": placed.conf,
        "verified_by": list(placed.verified_by),
        "is_struck": placed.is_struck,
    }


def line_to_dict(line: TextLine) -> dict[str, Any]:
    """Give the JSON form of a line."""
    return {
        "id": line.id,
        "text": line.text,
        "raw_text": line.raw_text,
        "conf": line.conf,
        "low_conf": line.low_conf,
        "engine": "ocr",
        "box": list(line.box),
        "corners": [list(corner) for corner in line.corners],
        "chars": [{"text": c.text, "conf": c.conf, "box": list(c.box)} for c in line.chars],
        "corrections": [
            {"start": c.start, "end": c.end, "raw": c.raw, "text": c.text, "reason": c.reason} for c in line.corrections
        ],
    }
