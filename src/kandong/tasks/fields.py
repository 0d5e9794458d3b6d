"""One extracted field: its value, what bears it out, and its status.

Owns: how a proposal of the model and what the post shows become one value. Must not know: which fields there are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from kandong.reading.found_number import PriceKind, text_of
from kandong.rules.judge import evidence_of
from kandong.rules.report import Evidence
from kandong.tasks.evidence import EvidenceBook, SourcedNumber, evidence_to_dict, find_values
from kandong.tasks.number_check import check_numbers
from kandong.tasks.number_match import role_group

_PIECES: Final = frozenset("件个只瓶盒袋包箱张片支条双套台杯份颗粒")
_TIMES: Final = ("×", "x", "X", "*")
Status = Literal["verified", "single", "conflict", "missing", "computed"]


@dataclass(frozen=True)
class Field:
    """A value, or ``None``. ``proposed`` is what the model said where that is not the value."""

    value: str | None
    status: Status
    evidence: tuple[Evidence, ...] = ()
    proposed: str | None = None
    formula: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {
            "value": self.value,
            "status": self.status,
            "evidence": [evidence_to_dict(one) for one in self.evidence],
            "proposed": self.proposed,
            "formula": self.formula,
        }

    def conflict(self, path: str) -> dict[str, Any]:
        """Give what differs, for the list of conflicts."""
        return {
            "field": path,
            "kind": "values",
            "values": [one for one in (self.value, self.proposed) if one is not None],
            "evidence": [evidence_to_dict(one) for one in self.evidence],
        }


def text_field(proposed: Any, book: EvidenceBook) -> Field:
    """Take a name that stands in the post; one that does not is no value."""
    words = str(proposed).strip() if proposed is not None else ""
    if not words:
        return Field(None, "missing")
    evidence = book.find_text(words)
    if evidence is None:
        return Field(None, "missing", proposed=words)
    return Field(words, "verified", (evidence,))


def phrase_field(proposed: Any, book: EvidenceBook, phrases: re.Pattern[str]) -> Field:
    """Take a proposed name that stands in the post, else the first known phrase of the post."""
    field = text_field(proposed, book)
    if field.value is not None:
        return field
    for line in book.lines:
        match = phrases.search(line.text)
        if match is not None and line.source not in ("comment", "code") and not line.is_suspected_instruction:
            return Field(match[0], "single", (evidence_of(line, *match.span()),), field.proposed)
    return field


def quantity_in(specification: str) -> str | None:
    """Give how many pieces a specification says: 10 of 25ml×10片, 3 of 3盒装."""
    counted = [
        n
        for n in find_values([specification])[0]
        if n.kind == "qty" and (n.unit in _PIECES or (n.unit is None and specification[: n.start].endswith(_TIMES)))
    ]
    return text_of(counted[-1].value) if counted else None


def found_prices(book: EvidenceBook, group: str) -> list[SourcedNumber]:
    """Give the prices of a role, each value once."""
    by_value: dict[str, SourcedNumber] = {}
    for number in book.trusted():
        is_price = number.number.kind == "price" and number.evidence.source != "comment"
        if is_price and role_group(number.number.price_kind) == group:
            by_value.setdefault(number.number.canonical, number)
    return list(by_value.values())


def choose(proposed: Any, found: list[SourcedNumber], book: EvidenceBook, role: PriceKind) -> Field:
    """Choose a price: what the model says if the post bears it out, else the only one that the post labels so."""
    words = str(proposed).strip() if proposed is not None else ""
    if words:
        question = "原价是多少？" if role == "original" else "现价是多少？"
        marks = check_numbers(words, book, question)
        if len(marks) == 1 and marks[0].state == "found":
            return Field(marks[0].value, "verified", marks[0].evidence)
    if len(found) == 1:
        number = found[0]
        value = text_of(number.number.value)
        return Field(value, "conflict" if words else "single", (number.evidence,), words or None)
    if len(found) > 1:
        evidence = tuple(number.evidence for number in found)
        return Field(None, "conflict", evidence, words or " / ".join(n.number.canonical for n in found))
    return Field(None, "missing", proposed=words or None)


def found_dates(book: EvidenceBook, start: Any, end: Any) -> tuple[Field, Field]:
    """Give begin and end of a promotion: the one range of the post, or the model's dates if they stand in it."""
    ranges = {n.number.canonical: n for n in book.trusted() if n.number.kind == "date" and n.number.upper is not None}
    if len(ranges) == 1:
        ((_, number),) = ranges.items()
        status: Status = "verified" if _date(start, book) or _date(end, book) else "single"
        ends = text_of(number.number.value), text_of(number.number.upper or "")
        first, last = (Field(None if one == ".." else one, status, (number.evidence,)) for one in ends)
        return first, last
    proposed = (_date(start, book), _date(end, book))
    if any(proposed):
        missing = Field(None, "missing")
        return proposed[0] or missing, proposed[1] or missing
    days = {n.number.canonical: n for n in book.trusted() if n.number.kind == "date"}
    if len(days) == 1:
        ((value, number),) = days.items()
        return Field(value, "single", (number.evidence,)), Field(value, "single", (number.evidence,))
    return Field(None, "missing"), Field(None, "missing")


def _date(proposed: Any, book: EvidenceBook) -> Field | None:
    if proposed is None:
        return None
    marks = check_numbers(str(proposed), book, "日期？")
    if len(marks) == 1 and marks[0].kind == "date" and marks[0].state == "found":
        return Field(marks[0].value, "verified", marks[0].evidence)
    return None
