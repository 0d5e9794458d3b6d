"""Kandong in this process: the class behind ``import kandong`` and the command line.

Owns: turning paths and bytes into pictures, questions into messages, and the turns of a conversation.
Must not know: terminals, HTTP, graphs.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kandong.errors import CheckpointError, InputError
from kandong.models.catalogue import FoundModel, find_model
from kandong.reading.images import decode_picture, load_picture
from kandong.runtime.prepared import discard_damaged, prepare_model
from kandong.types import Picture
from kandong.vlm.device import Compute, Precision
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Answer, Event, Progress, Request, TextPiece
from kandong.vlm.sampling import SamplingParameters

__all__ = ["Answer", "Chat", "Event", "Kandong", "PictureSource", "Progress", "TextPiece"]

PictureSource = str | os.PathLike[str] | bytes | Picture
PictureSources = PictureSource | Iterable[PictureSource]


class Kandong:
    """A loaded model that answers questions about pictures.

    >>> kd = Kandong("path-or-name")                        # doctest: +SKIP
    >>> kd.ask(["card.png"], "价格是多少？").text            # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        precision: str = "auto",
        compute: str | None = None,
        num_threads: int | None = None,
        context_tokens: int = 32_768,
        convert: bool = True,
        report: Callable[[str], None] | None = None,
    ) -> None:
        """Load a model folder or a model known by name; ``report`` hears what is being done.

        A checkpoint is converted once, into the cache folder, and mapped from there at later starts; with ``convert``
        False nothing is written, and the weights are quantised in memory each time.

        Errors: ``ModelNotFoundError``, ``CheckpointError``; ``InputError`` for an option out of range.
        """
        options = EngineOptions(
            precision=precision_of(precision),
            compute=None if compute is None else _choice(Compute, compute, "compute"),
            num_threads=_at_least(num_threads, 1, "num_threads"),
            context_tokens=_at_least(context_tokens, 64, "context_tokens") or 0,
        )
        say = report or (lambda _: None)
        found = find_model(model)
        self.model_name = found.name
        self.engine = _load(found, options, say) if convert else Engine(found.folder, options, say)

    def ask(self, pictures: PictureSources, question: str, **options: Any) -> Answer:
        """Ask one question about pictures (paths, bytes or ``Picture``) and wait for the answer.

        ``options``: ``system``, ``min_image_tokens``, ``max_image_tokens`` and the fields of ``SamplingParameters``.
        Errors: ``PictureError``, ``InputError``, ``PromptTooLongError``.
        """
        return last_answer(self.stream(pictures, question, **options))

    def stream(self, pictures: PictureSources, question: str, **options: Any) -> Iterator[Event]:
        """Ask one question and receive progress, text and finally the ``Answer``; close it to cancel."""
        return self.chat(pictures, system=options.pop("system", None)).stream(question, **options)

    def chat(self, pictures: PictureSources = (), *, system: str | None = None) -> Chat:
        """Begin a conversation about pictures; they stand before the first question."""
        return Chat(self.engine, pictures, system)

    def describe(self, answer: Answer) -> dict[str, Any]:
        """Give an answer as plain JSON values, with model, precision, token counts, grids and times."""
        timings = {name.removesuffix("_ms"): round(ms, 1) for name, ms in dataclasses.asdict(answer.timings).items()}
        return {
            "answer": answer.text,
            "finish_reason": answer.finish_reason,
            "model": self.model_name,
            "precision": str(self.engine.numerics.weights),
            "compute": str(self.engine.numerics.compute),
            "usage": {
                "prompt_tokens": answer.num_prompt_tokens,
                "picture_tokens": answer.num_picture_tokens,
                "completion_tokens": answer.num_generated_tokens,
            },
            "pictures": [
                {
                    "width_px": picture.width_px,
                    "height_px": picture.height_px,
                    "grid": [picture.grid_rows, picture.grid_columns],
                    "tokens": picture.num_tokens,
                    "cached": picture.is_cached,
                }
                for picture in answer.pictures
            ],
            "timings_ms": {"load": round(self.engine.load_ms, 1), **timings},
        }


class Chat:
    """A conversation. A turn counts only once its answer is complete: a cancelled or failed one leaves no trace."""

    def __init__(self, engine: Engine, pictures: PictureSources = (), system: str | None = None) -> None:
        self._engine = engine
        self._pictures: list[Picture] = []
        self._waiting: list[int] = []
        self._messages: list[Message] = [Message("system", (TextPart(system),))] if system else []
        self._turn_starts: list[tuple[int, int]] = []
        self.add_pictures(pictures)

    @property
    def messages(self) -> Sequence[Message]:
        """The conversation so far."""
        return tuple(self._messages)

    def add_pictures(self, pictures: PictureSources) -> None:
        """Add pictures that the next question is about. Errors: ``PictureError``; then none of them is added."""
        if isinstance(pictures, str | bytes | os.PathLike | Picture):
            pictures = [pictures]
        loaded = [read_picture(picture) for picture in pictures]
        self._waiting += range(len(self._pictures), len(self._pictures) + len(loaded))
        self._pictures += loaded

    def ask(self, question: str, **options: Any) -> Answer:
        """Ask and wait for the answer; ``options`` as in ``Kandong.ask``."""
        return last_answer(self.stream(question, **options))

    def stream(self, question: str, **options: Any) -> Iterator[Event]:
        """Ask, and receive progress, text and finally the ``Answer``; the turn is kept when the answer is complete."""
        if not isinstance(question, str) or not question.strip():
            raise InputError("The question is empty.", hint="Ask something, for example 价格是多少？", field="question")
        budget = PixelBudget(options.pop("min_image_tokens", None), options.pop("max_image_tokens", None))
        budget.resolve(self._engine.config.pixels)
        sampling = SamplingParameters.from_options(options)
        parts: list[PicturePart | TextPart] = [*(PicturePart(i) for i in self._waiting), TextPart(question)]
        request = Request([*self._messages, Message("user", tuple(parts))], list(self._pictures), sampling, budget)
        return self._follow(request)

    def undo(self) -> bool:
        """Take the last turn back; its pictures wait for the next question. False if there is none."""
        if not self._turn_starts:
            return False
        num_messages, first_waiting = self._turn_starts.pop()
        self._messages = self._messages[:num_messages]
        self._waiting = list(range(first_waiting, len(self._pictures)))
        return True

    def _follow(self, request: Request) -> Iterator[Event]:
        for event in self._engine.generate(request):
            if isinstance(event, Answer):
                first_waiting = self._waiting[0] if self._waiting else len(self._pictures)
                self._turn_starts.append((len(self._messages), first_waiting))
                self._messages += [request.messages[-1], Message("assistant", (TextPart(event.text),))]
                self._waiting = []
            yield event


def last_answer(events: Iterator[Event]) -> Answer:
    """Run a stream to its end and give its ``Answer``."""
    for event in events:
        if isinstance(event, Answer):
            return event
    raise AssertionError("a stream ended without an answer")


def read_picture(source: PictureSource) -> Picture:
    """Decode a path, bytes or ready picture. Errors: ``PictureError``; ``InputError`` for a web address."""
    if isinstance(source, Picture):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return decode_picture(bytes(source))
    if isinstance(source, str) and source.lower().startswith(("http://", "https://", "data:")):
        raise InputError(
            "Kandong fetches nothing from the network.",
            hint="Download the picture and name the file.",
            field="pictures",
        )
    return load_picture(Path(source))


def _load(found: FoundModel, options: EngineOptions, report: Callable[[str], None]) -> Engine:
    """Load the conversion of a model; one that is damaged is made again from the original, once."""
    prepared = prepare_model(found, options.precision, report)
    try:
        return Engine(prepared, options, report)
    except CheckpointError:
        if prepared == found.folder or not discard_damaged(prepared):
            raise
        report("the converted model is damaged: converting again")
        return Engine(prepare_model(found, options.precision, report), options, report)


def precision_of(name: str) -> Precision:
    """Turn a precision's name into the value. Errors: ``InputError`` naming the known ones."""
    precision: Precision = _choice(Precision, name, "precision")
    return precision


def _choice(kind: Any, value: str, name: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise InputError(f"{name} is {value!r}, it must be one of {', '.join(kind)}.", field=name) from None


def _at_least(value: int | None, low: int, name: str) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < low):
        raise InputError(f"{name} is {value!r}, it must be a whole number of at least {low}.", field=name)
    return value
