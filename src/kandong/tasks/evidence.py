"""What a post itself shows, as lines and numbers with their places: everything that an answer is checked against.

Owns: turning words, comments, readings and codes into lines, and which numbers stand in them how surely. Must not know:
models, answers, rules' verdicts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from kandong.reading.found_number import FoundNumber, text_of
from kandong.reading.injection import find_instructions
from kandong.reading.numbers import find_numbers_in_lines
from kandong.reading.numerals import ARABIC, parse_numeral
from kandong.reading.reader import SURE_NUMBER_CONF
from kandong.reading.report import ImageReading
from kandong.reading.report import TextLine as ReadLine
from kandong.rules.instructions import is_instruction
from kandong.rules.judge import evidence_of
from kandong.rules.report import Box, Evidence, TextLine
from kandong.tasks.post import Comment

# Codes that a person scans with a phone; a product's bar code leads nowhere.
SCANNED_CODES: Final = ("qr", "aztec", "datamatrix", "pdf417", "maxicode")
_IDS: Final = frozenset({"phone", "wechat", "qq", "id"})
_BARE: Final = re.compile(ARABIC)
# 8、 in front of an item says nothing of eights.
_ENUMERATOR: Final = re.compile(r"\s{0,4}[(（]?\d{1,2}[、)）]|\s{0,4}\d{1,2}\.(?!\d)")
_DIGITS: Final = frozenset("0123456789０１２３４５６７８９零〇一二两三四五六七八九十百千万半")
_ID: Final = re.compile(r"(?<![A-Za-z0-9_-])(?=[-_A-Za-z]*\d)[A-Za-z][-_A-Za-z0-9]{4,24}(?![A-Za-z0-9_-])")


@dataclass(frozen=True)
class SourcedNumber:
    """A number of the post and where it stands.

    ``is_sure``: each of its characters was read surely, or typed. ``is_suspect``: its line speaks to a model, so it can
    verify nothing.
    """

    number: FoundNumber
    evidence: Evidence
    is_sure: bool
    is_suspect: bool


@dataclass(frozen=True)
class EvidenceBook:
    """All lines of a post, in the order post text, pictures, comments; and the numbers in them."""

    lines: tuple[TextLine, ...]
    numbers: tuple[SourcedNumber, ...]

    @property
    def suspected(self) -> tuple[Evidence, ...]:
        """Lines that speak to a model."""
        return tuple(evidence_of(one, 0, len(one.text)) for one in self.lines if one.is_suspected_instruction)

    def trusted(self) -> tuple[SourcedNumber, ...]:
        """Give the numbers that may verify something."""
        return tuple(n for n in self.numbers if n.is_sure and not n.is_suspect)

    def find_text(self, words: str) -> Evidence | None:
        """Find words, blanks and case aside, in a line that speaks to no model; gives their place."""
        wanted = _squeezed(words)[0]
        if len(wanted) < 2:
            return None
        for line in self.lines:
            text, places = _squeezed(line.text)
            start = text.find(wanted)
            if start >= 0 and not line.is_suspected_instruction:
                return evidence_of(line, places[start], places[start + len(wanted) - 1] + 1)
        return None


def collect_evidence(
    text: str = "",
    readings: Sequence[ImageReading] = (),
    comments: Sequence[Comment] = (),
    reread: Mapping[tuple[int, str], str] | None = None,
) -> EvidenceBook:
    """Gather a post's lines and numbers. Time is linear in the text.

    ``reread`` holds what somebody else read in a line, by image index and line id: a number that OCR was not sure of
    counts as sure where both agree on it, and one that they disagree on is never sure.
    """
    own = _text_lines(text)
    said = [_line(comment.text, "comment", f"C{i}") for i, comment in enumerate(comments, start=1)]
    lines = [*own]
    numbers = list(_typed_numbers(own))
    for reading in readings:
        lines += lines_of(reading)
        numbers += _read_numbers(reading, reread or {})
    numbers += [number for line in said for number in _typed_numbers([line])]
    return EvidenceBook((*lines, *said), tuple(numbers))


def lines_of(reading: ImageReading) -> list[TextLine]:
    """Turn a reading into lines: each line of text with its characters' boxes, each scanned code with its content."""
    marked = {mark.line_id for mark in reading.injection}
    lines = [
        TextLine(
            text=line.text,
            source="image_text",
            image_index=reading.index,
            line_id=line.id,
            box=_box(line.box),
            conf=line.conf,
            is_suspected_instruction=line.id in marked or is_instruction(line.text),
            character_boxes=tuple(_box(character.box) for character in line.chars),
        )
        for line in reading.lines
    ]
    codes = [
        TextLine(code.text or code.type, "code", reading.index, f"Q{number}", _box(code.box))
        for number, code in enumerate(reading.codes, start=1)
        if code.type.lower().replace(" ", "").replace("micro", "").startswith(SCANNED_CODES)
    ]
    return lines + codes


def speaks_to_model(text: str) -> bool:
    """Tell whether a text reads like an instruction to a model."""
    return is_instruction(text) or bool(find_instructions(text))


def evidence_to_dict(evidence: Evidence) -> dict[str, Any]:
    """Give the JSON form of evidence."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(evidence).items()}


def find_values(lines: Sequence[str]) -> list[list[FoundNumber]]:
    """Find all numbers of lines, also those of no known kind: bare numerals and ids, whose ``price_kind`` is unknown.

    A bare numeral has the kind ``qty`` and no unit.
    """
    found = find_numbers_in_lines(lines)
    return [
        sorted([*known, *_others(line, known)], key=lambda n: n.start) for line, known in zip(lines, found, strict=True)
    ]


def values_of(number: FoundNumber) -> tuple[str, ...]:
    """Give a number's one or two values as plain texts."""
    return (text_of(number.value),) if number.upper is None else (text_of(number.value), text_of(number.upper))


def _others(line: str, known: Sequence[FoundNumber]) -> Iterator[FoundNumber]:
    taken = bytearray(len(line))
    for number in known:
        taken[number.start : number.end] = b"\x01" * (number.end - number.start)
    for match in _ID.finditer(line):
        if not any(taken[match.start() : match.end()]):
            taken[match.start() : match.end()] = b"\x01" * (match.end() - match.start())
            yield FoundNumber(match[0], *match.span(), "id", match[0])
    if (enumerator := _ENUMERATOR.match(line)) is not None:
        taken[: enumerator.end()] = b"\x01" * enumerator.end()
    for match in _BARE.finditer(line):
        value = parse_numeral(match[0])
        if value is not None and not any(taken[match.start() : match.end()]):
            yield FoundNumber(match[0], *match.span(), "qty", value)


def _text_lines(text: str) -> list[TextLine]:
    """Cut the words of a post into lines T1, T2, …; places count characters of each line."""
    return [_line(row, "post_text", f"T{i}") for i, row in enumerate(text.splitlines(), start=1) if row.strip()]


def _line(text: str, source: Any, line_id: str) -> TextLine:
    return TextLine(text, source, None, line_id, is_suspected_instruction=speaks_to_model(text))


def _typed_numbers(lines: Sequence[TextLine]) -> Iterator[SourcedNumber]:
    for line, numbers in zip(lines, find_values([line.text for line in lines]), strict=True):
        for number in numbers:
            yield SourcedNumber(number, evidence_of(line, *number.span), True, line.is_suspected_instruction)


def _read_numbers(reading: ImageReading, reread: Mapping[tuple[int, str], str]) -> Iterator[SourcedNumber]:
    lines = lines_of(reading)[: len(reading.lines)]
    for read, line, numbers in zip(reading.lines, lines, find_values([one.text for one in lines]), strict=True):
        other = reread.get((reading.index, read.id))
        others = None if other is None else {values_of(number) for number in find_values([other])[0]}
        for number in numbers:
            is_sure = _digits_conf(read, number) >= SURE_NUMBER_CONF if others is None else values_of(number) in others
            yield SourcedNumber(number, evidence_of(line, *number.span), is_sure, line.is_suspected_instruction)


def _digits_conf(line: ReadLine, number: FoundNumber) -> float:
    """Give the least confidence among a number's digits: an unclear 满 or 元 makes its value no less sure."""
    chars = line.chars[number.start : number.end]
    return min((c.conf for c in chars if c.text in _DIGITS or number.kind in _IDS), default=line.conf)


def _squeezed(text: str) -> tuple[str, list[int]]:
    kept = [(c.lower(), i) for i, c in enumerate(text) if not c.isspace()]
    return "".join(c for c, _ in kept), [i for _, i in kept]


def _box(box: tuple[int, int, int, int]) -> Box:
    left, top, right, bottom = box
    return float(left), float(top), float(right), float(bottom)
