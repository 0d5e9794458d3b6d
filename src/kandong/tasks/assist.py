"""Chat bound to evidence: a conversation's request with what OCR read beside each picture, and the answer checked.

Owns: where quoted lines and tiles go in a conversation, and what an answer's numbers rest on. Must not know: HTTP, how
conversations are kept. Both steps are pure functions of the conversation, so that turn after turn the prompt begins
with the same tokens and is found in the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kandong.reading.report import ImageReading
from kandong.rules.report import Evidence
from kandong.tasks.answers import AnswerType, answer_type_of, quote_in
from kandong.tasks.dense import tiles_of
from kandong.tasks.evidence import EvidenceBook, collect_evidence, evidence_to_dict
from kandong.tasks.number_check import Mark, Verified, check_numbers, verified_state
from kandong.tasks.prompt_files import Prompts, load_prompts
from kandong.tasks.quoted import quoted_lines
from kandong.types import Picture, PictureRef
from kandong.vlm.config import ModelConfig
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Request

MAX_PICTURES_WITH_TILES: Final = 2


@dataclass(frozen=True)
class Assisted:
    """A request made ready, and what its answer will be checked against."""

    request: Request
    book: EvidenceBook
    question: str
    prompt_version: str
    num_tiles: int
    warnings: tuple[str, ...] = ()

    def check(self, answer: str) -> CheckedAnswer:
        """Check a finished answer."""
        return check_answer(answer, self.book, self.question, self.prompt_version)


@dataclass(frozen=True)
class CheckedAnswer:
    """What an answer rests on; ``evidence`` is where its words stand, if it quotes the post."""

    verified: Verified
    answer_type: AnswerType
    marks: tuple[Mark, ...]
    evidence: tuple[Evidence, ...]
    suspected_instructions: tuple[Evidence, ...]
    prompt_version: str

    @property
    def is_abstained(self) -> bool:
        """Whether the answer says that there is none."""
        return self.answer_type == "unanswerable"

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {
            "verified": self.verified,
            "answer_type": self.answer_type,
            "abstained": self.is_abstained,
            "marks": [mark.to_dict() for mark in self.marks],
            "evidence": [evidence_to_dict(one) for one in self.evidence],
            "suspected_instructions": [evidence_to_dict(one) for one in self.suspected_instructions],
            "num_unverified": sum(mark.state == "unverified" for mark in self.marks),
            "prompt_version": self.prompt_version,
        }


def assist(
    request: Request,
    readings: Mapping[int, ImageReading],
    config: ModelConfig,
    *,
    prompts: Prompts | None = None,
    post_text: str = "",
) -> Assisted:
    """Make a conversation's request ready to be answered by evidence.

    ``readings`` holds what was read, by index into ``request.pictures``; a picture without one goes as it is.
    ``post_text`` are words that belong to the first message, quoted as data. After the pictures of each message follow
    tiles of those that are dense (only of ``Picture``, as pixels are needed) and the quoted lines; a conversation
    without a system message gets the common one.
    """
    prompts = prompts or load_prompts()
    pictures = list(request.pictures)
    messages: list[Message] = []
    warnings: list[str] = []
    drafts = [post_text] if post_text else []
    num_tiles = 0
    is_first = True
    for message in request.messages:
        if message.role != "user":
            messages.append(message)
            continue
        shown = [part for part in message.parts if isinstance(part, PicturePart)]
        tiles = _tiles(shown, pictures, readings, request, config)
        num_tiles += len(tiles)
        own_text = post_text if is_first else ""
        is_first = False
        book = collect_evidence(own_text, [_numbered(readings[p.index], p.index) for p in shown if p.index in readings])
        quoted, is_cut = quoted_lines(book.lines)
        if is_cut:
            warnings.append("图中文字太多，只给模型看了前一部分")
        drafts += [line.text for line in book.lines]
        block = prompts["words"].fill(lines=quoted) if quoted and prompts["words"].text else ""
        rest = [part for part in message.parts if isinstance(part, TextPart)]
        asked = "".join(part.text for part in rest)
        said = f"{block}\n" if block else ""
        parts: tuple[PicturePart | TextPart, ...] = (
            *shown,
            *tiles,
            TextPart(said + prompts["assist"].fill(question=asked)),
        )
        messages.append(replace(message, parts=parts))
    if prompts["system"].text and not any(message.role == "system" for message in messages):
        messages.insert(0, Message("system", (TextPart(prompts["system"].text),)))
    all_read = [_numbered(reading, index) for index, reading in sorted(readings.items())]
    ready = replace(
        request, messages=messages, pictures=pictures, draft_sources=(*request.draft_sources, *dict.fromkeys(drafts))
    )
    return Assisted(
        ready,
        collect_evidence(post_text, all_read),
        question_of(request.messages),
        prompts.version("words", "assist"),
        num_tiles,
        tuple(dict.fromkeys(warnings)),
    )


def check_answer(answer: str, book: EvidenceBook, question: str = "", prompt_version: str = "") -> CheckedAnswer:
    """Check an answer: each number, whether its words stand in the post, and whether it says that there is none."""
    marks = check_numbers(answer, book, question)
    kind = answer_type_of(answer, marks)
    quote = quote_in(answer, book)
    state: Verified = "none" if kind == "unanswerable" else verified_state(marks, has_quote=quote is not None)
    return CheckedAnswer(state, kind, marks, () if quote is None else (quote,), book.suspected, prompt_version)


def question_of(messages: Sequence[Message]) -> str:
    """Give the words of the last question."""
    last = next((message for message in reversed(messages) if message.role == "user"), None)
    return "" if last is None else "".join(part.text for part in last.parts if isinstance(part, TextPart))


def _tiles(
    shown: Sequence[PicturePart],
    pictures: list[Picture | PictureRef],
    readings: Mapping[int, ImageReading],
    request: Request,
    config: ModelConfig,
) -> list[PicturePart]:
    """Cut the dense pictures of a message; their tiles are added to ``pictures``."""
    if len(shown) > MAX_PICTURES_WITH_TILES:
        return []
    parts = []
    for part in shown:
        picture, reading = pictures[part.index], readings.get(part.index)
        if not isinstance(picture, Picture) or reading is None:
            continue
        for tile in tiles_of(picture, reading, config.pixels, request.budget):
            parts.append(PicturePart(len(pictures)))
            pictures.append(tile)
    return parts


def _numbered(reading: ImageReading, index: int) -> ImageReading:
    return reading if reading.index == index else replace(reading, index=index)
