"""What kind of answer an answer is, and whether its words are the post's own.

Owns: the ways of saying that there is no answer, yes, or no. Must not know: models, numbers' evidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from kandong.rules.report import Evidence
from kandong.tasks.evidence import EvidenceBook
from kandong.tasks.number_check import Mark

AnswerType = Literal["text", "number", "yes_no", "unanswerable"]

_NO_ANSWER: Final = re.compile(
    r"没有?提[到及]|未提[到及]|没有?(?:写|说|标)明|未(?:写|说|标)明|没有?(?:相关|这个|该)?(?:信息|内容)|看不清|看不出|"
    r"无法(?:确定|判断|得知|回答|看出|识别)|不(?:确定|清楚|知道)|"
    r"^\s*(?:(?:图|图片|图像|画面|帖子|文)(?:中|里|上|里面)?(?:并|都)?)?(?:没有|无)[。.]?\s*$|"
    r"cannot (?:tell|see|determine)|not (?:mentioned|shown|stated)|no information",
    re.IGNORECASE,
)
_YES_NO: Final = re.compile(
    r"^\s*(?:是的?|不是|对|不对|有的?|没有|能|不能|可以|不可以|会|不会|yes|no)(?:[，,。.!！、]|$)", re.IGNORECASE
)
_QUOTES: Final = re.compile(r"[“「『\"《]([^”」』\"》]{2,80})[”」』\"》]")
_MAX_NUMBER_ANSWER: Final = 24
_LONGEST_ABSTENTION: Final = 60


def answer_type_of(answer: str, marks: Sequence[Mark]) -> AnswerType:
    """Tell what kind of answer it is; a long one with numbers that also lacks something is still an answer."""
    text = answer.strip()
    if not text:
        return "unanswerable"
    has_found = any(mark.state != "unverified" for mark in marks)
    if _NO_ANSWER.search(text) and not has_found and len(text) <= _LONGEST_ABSTENTION:
        return "unanswerable"
    if _YES_NO.match(text):
        return "yes_no"
    return "number" if len(marks) == 1 and len(text) <= _MAX_NUMBER_ANSWER else "text"


def quote_in(answer: str, book: EvidenceBook) -> Evidence | None:
    """Find the words of an answer in the post: the whole of a short one, else what it puts into quotation marks.

    ``None`` where the post does not hold them, or not all that are quoted.
    """
    whole = answer.strip().strip('。.!！"“”')
    if "\n" not in whole and (found := book.find_text(whole)) is not None:
        return found
    quotes = [book.find_text(match[1]) for match in _QUOTES.finditer(answer)]
    return quotes[0] if quotes and all(quote is not None for quote in quotes) else None
