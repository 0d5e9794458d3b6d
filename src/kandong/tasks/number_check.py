"""Every number of an answer, looked up in the post: found, computed from what is found, or unverified.

Owns: marks and their reasons, and the state of an answer as a whole. Must not know: models, prompts, how the post was
read. A number that only a line found to speak to a model holds, or that OCR was not sure of, verifies nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from kandong.reading.found_number import FoundNumber, PriceKind
from kandong.rules.report import Evidence
from kandong.tasks.evidence import EvidenceBook, SourcedNumber, evidence_to_dict, find_values
from kandong.tasks.number_match import Asked, agree, asked_by, is_bare, role_group, same_role
from kandong.tasks.recompute import Operand, recompute

State = Literal["found", "computed", "unverified"]
Verified = Literal["both", "ocr", "vlm", "none"]
# 1. 2、 ① in front of an item, 第2行, 图1, and spoken 一个, 一种, which count nothing.
_ENUMERATOR: Final = re.compile(
    r"^\s{0,4}[(（]?\d{1,2}[.、)）](?!\d)|第\s?\d{1,3}\s?(?:行|张|幅|点|条|步|个)|图\s?\d{1,2}(?!\d)|T\d+|L\d+|P\d+",
    re.MULTILINE,
)
_SPOKEN_ONE: Final = re.compile(r"一(?:个|种|张|款|条|位|家|份|点|些|只|名|幅|件|双|套)")
_MAX_EVIDENCE: Final = 3


@dataclass(frozen=True)
class Mark:
    """One number of an answer. ``span`` counts its characters; ``reason`` says why it is unverified."""

    span: tuple[int, int]
    text: str
    kind: str
    value: str
    state: State
    evidence: tuple[Evidence, ...] = ()
    formula: str | None = None
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {
            "span": list(self.span),
            "text": self.text,
            "kind": self.kind,
            "value": self.value,
            "state": self.state,
            "evidence": [evidence_to_dict(one) for one in self.evidence],
            "formula": self.formula,
            "reason": self.reason,
        }


def check_numbers(answer: str, book: EvidenceBook, question: str = "") -> tuple[Mark, ...]:
    """Mark every number of an answer, in order. What only the question says is no evidence for it."""
    claimed = numbers_in(answer)
    asked = asked_by(question)
    is_only = sum(number.kind == "price" or is_bare(number) for number in claimed) == 1
    roles = [role_of(number, asked, is_only=is_only) for number in claimed]
    looked_up = [_look_up(number, role, asked, book) for number, role in zip(claimed, roles, strict=True)]
    said = [number for numbers in find_values(question.splitlines()) for number in numbers]
    operands = [
        Operand(number, role, mark.evidence)
        for number, role, mark in zip(claimed, roles, looked_up, strict=True)
        if mark is not None
    ]
    operands += [Operand(number, number.price_kind, ()) for number in said]
    words = f"{question}\n{answer}"
    return tuple(
        mark or _computed(number, operands, book, words) or _unverified(number, role, asked, book, said)
        for number, role, mark in zip(claimed, roles, looked_up, strict=True)
    )


def numbers_in(answer: str) -> list[FoundNumber]:
    """Find what an answer states as numbers: not the numbering of its items, not 一个."""
    skipped = [match.span() for match in _ENUMERATOR.finditer(answer)]
    numbers = []
    offset = 0
    for row, found in zip(answer.split("\n"), find_values(answer.split("\n")), strict=True):
        for number in found:
            start, end = number.start + offset, number.end + offset
            if not any(a <= start and end <= b for a, b in skipped) and not _SPOKEN_ONE.fullmatch(number.raw):
                numbers.append(_moved(number, offset))
        offset += len(row) + 1
    return numbers


def role_of(number: FoundNumber, asked: Asked, *, is_only: bool) -> PriceKind | None:
    """Give which price a number is said to be: by its own words, else by the question, where it is the only one."""
    if number.kind == "price" and number.price_kind is not None and number.price_kind != "current":
        return number.price_kind
    if is_only and asked.kind == "price" and asked.role is not None:
        return asked.role
    return number.price_kind


def verified_state(marks: Sequence[Mark], *, has_quote: bool) -> Verified:
    """Weigh the marks: ``both`` where the post's own text bears out every number, or, without numbers, the words."""
    # How many the asker wants is his own condition, not a statement of the answer.
    marks = [mark for mark in marks if not (mark.kind == "qty" and mark.reason == "only_in_question")]
    if marks:
        return "both" if all(mark.state != "unverified" for mark in marks) else "vlm"
    return "both" if has_quote else "vlm"


def _look_up(number: FoundNumber, role: PriceKind | None, asked: Asked, book: EvidenceBook) -> Mark | None:
    found = [s for s in book.trusted() if agree(number, s.number, asked) and same_role(role, s.number)]
    if found and not _is_other_price(found, role, book):
        return _mark(number, "found", found)
    return None


def _is_other_price(found: Sequence[SourcedNumber], role: PriceKind | None, book: EvidenceBook) -> bool:
    """Tell whether the post labels another number with this role, and none of those found with it."""
    group = role_group(role)
    if group not in ("sale", "original"):
        return False
    labelled = [s for s in book.trusted() if s.number.kind == "price" and role_group(s.number.price_kind) == group]
    is_labelled = any(role_group(s.number.price_kind) == group for s in found)
    return bool(labelled) and not is_labelled


def _computed(number: FoundNumber, operands: Sequence[Operand], book: EvidenceBook, words: str) -> Mark | None:
    roles = [
        Operand(s.number, s.number.price_kind, (s.evidence,))
        for s in book.trusted()
        if s.number.kind in ("offer", "discount") or s.number.price_kind is not None
    ]
    computation = recompute(number, operands, roles, words)
    if computation is None:
        return None
    evidence = tuple(dict.fromkeys(computation.evidence))[:_MAX_EVIDENCE]
    return Mark(number.span, number.raw, _kind(number), number.canonical, "computed", evidence, computation.formula)


def _unverified(
    number: FoundNumber, role: PriceKind | None, asked: Asked, book: EvidenceBook, said: Sequence[FoundNumber]
) -> Mark:
    same = [s for s in book.numbers if agree(number, s.number, asked)]
    if any(s.is_suspect for s in same) and all(s.is_suspect for s in same):
        return _mark(number, "unverified", same, "only_in_instruction")
    if any(s.is_sure and not s.is_suspect for s in same):
        its = {role_group(s.number.price_kind) for s in same}
        reason = "other_price" if role_group(role) not in its or None in its else "not_found"
        return _mark(number, "unverified", same, reason)
    if same:
        return _mark(number, "unverified", same, "unsure_reading")
    is_said = any(agree(number, one, asked) for one in said)
    return _mark(number, "unverified", (), "only_in_question" if is_said else "not_found")


def _mark(number: FoundNumber, state: State, found: Sequence[SourcedNumber], reason: str | None = None) -> Mark:
    evidence = tuple(one.evidence for one in found[:_MAX_EVIDENCE])
    return Mark(number.span, number.raw, _kind(number), number.canonical, state, evidence, None, reason)


def _kind(number: FoundNumber) -> str:
    return "number" if is_bare(number) else number.kind


def _moved(number: FoundNumber, offset: int) -> FoundNumber:
    return replace(number, start=number.start + offset, end=number.end + offset) if offset else number
