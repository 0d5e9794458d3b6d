"""One post under analysis: what every task needs of it, and the requests that begin alike.

Owns: the order of a prompt (system message, pictures, words, task), so that whatever is asked about a post shares its
beginning, and how many tokens a picture gets. Must not know: tasks, how requests are run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from kandong.errors import KandongError
from kandong.reading.report import ImageReading
from kandong.rules.rule import RuleBook
from kandong.tasks.evidence import EvidenceBook, collect_evidence
from kandong.tasks.post import Post
from kandong.tasks.prompt_files import Prompts
from kandong.tasks.quoted import quoted_lines
from kandong.types import Picture
from kandong.vlm.config import ModelConfig
from kandong.vlm.pixels import DEFAULT_MAX_IMAGE_TOKENS, PixelBudget
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Answer, AnswerForm, Request
from kandong.vlm.sampling import SamplingParameters

Mode = Literal["fast", "auto", "model"]
# All pictures of a post together; what a context of 32,768 tokens holds many times.
_MAX_PICTURE_TOKENS: Final = 4_096
_MIN_PICTURE_TOKENS: Final = 64
Answers = Mapping[str, Answer | KandongError]


@dataclass(frozen=True)
class Options:
    """What may be asked of an analysis: the question of ``ask``, the schema of ``extract``, how ``read`` reads."""

    question: str | None = None
    schema: Mapping[str, Any] | None = None
    mode: Mode = "auto"


@dataclass(frozen=True)
class Conclusion:
    """What a task came to; ``prompts`` names those it used, ``is_failed`` that nothing came of it."""

    result: dict[str, Any]
    warnings: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    is_failed: bool = False


@dataclass(frozen=True)
class Case:
    """A post with its readings, one a picture, ``None`` where OCR failed or was not to be had.

    Without ``config`` there is no model. ``reread`` is what the model read in lines, by image index and line id.
    """

    post: Post
    readings: tuple[ImageReading | None, ...]
    config: ModelConfig | None
    prompts: Prompts
    rules: RuleBook
    options: Options = field(default_factory=Options)
    reread: Mapping[tuple[int, str], str] = field(default_factory=dict)

    @property
    def has_model(self) -> bool:
        """Whether a model may be asked."""
        return self.config is not None

    @property
    def known_readings(self) -> list[ImageReading]:
        """Give the readings that there are."""
        return [reading for reading in self.readings if reading is not None]

    @cached_property
    def book(self) -> EvidenceBook:
        """The post's lines and numbers."""
        return collect_evidence(self.post.text, self.known_readings, self.post.comments, self.reread)

    @cached_property
    def budget(self) -> PixelBudget:
        """How many tokens each picture gets: the default, less where there are many."""
        if self.config is None or len(self.post.pictures) * DEFAULT_MAX_IMAGE_TOKENS <= _MAX_PICTURE_TOKENS:
            return PixelBudget()
        share = max(_MIN_PICTURE_TOKENS, _MAX_PICTURE_TOKENS // len(self.post.pictures))
        return PixelBudget(max_tokens=min(self.config.pixels.max_tokens, share))

    def blind(self, text: str, **fields: Any) -> Request:
        """Ask about the pictures without any words of the post, so that these cannot talk the model into seeing."""
        return self._request(self._shown(), text, **fields)

    def with_words(self, text: str, **fields: Any) -> Request:
        """Ask about pictures and words; the lines are also what the answer is likely to copy."""
        quoted, _ = quoted_lines(self._own_lines())
        words = self.prompts["words"].fill(lines=quoted) + "\n" if quoted and self.prompts["words"].text else ""
        drafts = tuple(dict.fromkeys(line.text for line in self._own_lines()))
        return self._request(self._shown(), words + text, draft_sources=drafts, **fields)

    def words_only(self, text: str, **fields: Any) -> Request:
        """Ask about the words that the author wrote, without the pictures."""
        lines = [line for line in self.book.lines if line.source == "post_text"]
        quoted, _ = quoted_lines(lines)
        words = self.prompts["words"].fill(lines=quoted) + "\n" if self.prompts["words"].text else f"{quoted}\n"
        return self._request((), words + text, draft_sources=tuple(line.text for line in lines), **fields)

    def alone(self, pictures: Sequence[Picture], text: str, **fields: Any) -> Request:
        """Ask about pictures that are not the post's own, such as a crop of one."""
        message = Message("user", (*(PicturePart(i) for i in range(len(pictures))), TextPart(text)))
        return Request([*self._system(), message], list(pictures), **fields)

    def beginning(self) -> Request:
        """Ask for everything up to the last picture to be computed, which all requests with pictures share."""
        message = Message("user", self._shown())
        pictures = list(self.post.pictures)
        return Request([*self._system(), message], pictures, budget=self.budget, prefill_only=True)

    def _shown(self) -> tuple[PicturePart, ...]:
        return tuple(PicturePart(i) for i in range(len(self.post.pictures)))

    def _own_lines(self) -> list[Any]:
        return [line for line in self.book.lines if line.source != "comment"]

    def _system(self) -> list[Message]:
        text = self.prompts["system"].text
        return [Message("system", (TextPart(text),))] if text else []

    def _request(self, shown: Sequence[PicturePart], text: str, **fields: Any) -> Request:
        message = Message("user", (*shown, TextPart(text)))
        pictures = list(self.post.pictures) if shown else []
        return Request([*self._system(), message], pictures, budget=self.budget, **fields)


def json_form(schema: Mapping[str, Any]) -> AnswerForm:
    """Ask for JSON of a schema."""
    return AnswerForm("json_schema", dict(schema))


def greedy(max_tokens: int) -> SamplingParameters:
    """Ask for the likeliest answer of at most so many tokens."""
    return SamplingParameters(max_tokens=max_tokens)


def json_answer(answers: Answers, name: str) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Give an answer's JSON object, mended where it was cut, and warnings; ``None`` where there is none."""
    answer = answers.get(name)
    if answer is None:
        return None, ()
    if isinstance(answer, KandongError):
        return None, (f"模型没有答完（{answer.code}）",)
    warnings = () if answer.finish_reason == "stop" else ("模型的回答到了长度上限，后面的部分缺失",)
    value = mended_json(answer.text)
    return (value, warnings) if isinstance(value, dict) else (None, (*warnings, "模型的回答不是所要的结构"))


def mended_json(text: str) -> Any:
    """Parse JSON; where it breaks off, drop what is incomplete and close what is open. ``None`` if nothing is left."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    ends = [i for i, character in enumerate(text) if character in ',]}"']
    for end in reversed(ends[-400:]):
        head = text[:end] if text[end] == "," else text[: end + 1]
        try:
            return json.loads(head + _closers(head))
        except ValueError:
            continue
    return None


def _closers(head: str) -> str:
    closers: list[str] = []
    is_inside = is_escaped = False
    for character in head:
        if is_escaped:
            is_escaped = False
        elif is_inside and character == "\\":
            is_escaped = True
        elif character == '"':
            is_inside = not is_inside
        elif not is_inside and character in "{[":
            closers.append("}" if character == "{" else "]")
        elif not is_inside and character in "}]" and closers:
            closers.pop()
    return "".join(reversed(closers))
