"""A conversation in this process: its pictures, its turns, and looking ahead while the next question is typed.

Owns: turning paths and bytes into pictures, questions into messages, and which turns count. Must not know: terminals,
HTTP, graphs.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from kandong.errors import InputError, KandongError
from kandong.reading.images import decode_picture, load_picture
from kandong.types import Picture
from kandong.vlm.config import ModelConfig
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Answer, AnswerForm, Event, HistoryLimits, Priority, Request
from kandong.vlm.sampling import SamplingParameters

PictureSource = str | os.PathLike[str] | bytes | Picture
PictureSources = PictureSource | Iterable[PictureSource]


class AnsweringEngine(Protocol):
    """What a conversation needs of an engine, wherever that runs."""

    @property
    def config(self) -> ModelConfig:
        """What the checkpoint says about the model."""

    def generate(self, request: Request, *, priority: Priority = Priority.INTERACTIVE) -> Iterator[Event]:
        """Answer a request: see ``Engine.generate``."""


class Chat:
    """A conversation. A turn counts only once its answer is complete: a cancelled or failed one leaves no trace."""

    def __init__(
        self,
        engine: AnsweringEngine,
        pictures: PictureSources = (),
        system: str | None = None,
        history: HistoryLimits | None = None,
    ) -> None:
        """Begin; ``history`` says how a long conversation is shortened, by default to what the context holds."""
        self._engine = engine
        self._history = history or HistoryLimits()
        self._warming: Warming | None = None
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
        form = form_of(options)
        sources = tuple(options.pop("draft_sources", ()))
        sampling = SamplingParameters.from_options(options)
        request = self._request(
            [TextPart(question)],
            budget,
            sampling=sampling,
            history=self._history,
            form=form,
            draft_sources=sources,
        )
        return self._follow(request)

    def _request(self, text: list[TextPart], budget: PixelBudget, **fields: Any) -> Request:
        parts: list[PicturePart | TextPart] = [*(PicturePart(i) for i in self._waiting), *text]
        messages = [*self._messages, Message("user", tuple(parts))]
        return Request(messages, list(self._pictures), budget=budget, **fields)

    def warm(self, *, min_image_tokens: int | None = None, max_image_tokens: int | None = None) -> Warming | None:
        """Look at the waiting pictures in the background, while the question is still being typed.

        The question takes over what is done by then. ``None`` if no picture waits. The token limits must be those of
        the question. Errors: ``InputError`` for limits out of range.
        """
        self.stop_warming()
        budget = PixelBudget(min_image_tokens, max_image_tokens)
        budget.resolve(self._engine.config.pixels)
        if self._waiting:
            self._warming = Warming(self._engine, self._request([], budget, prefill_only=True))
        return self._warming

    def stop_warming(self) -> None:
        """Stop what ``warm`` began, and wait for its current stage to end."""
        if self._warming is not None:
            self._warming.stop()
            self._warming = None

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


class Warming:
    """Pictures being looked at ahead of a question, in a thread of its own."""

    def __init__(self, engine: AnsweringEngine, request: Request) -> None:
        self._engine = engine
        self._is_wanted = threading.Event()
        self._is_wanted.set()
        self._thread = threading.Thread(target=self._run, args=(request,), name="warming", daemon=True)
        self._thread.start()

    def _run(self, request: Request) -> None:
        # What is wrong with the pictures is told when the question comes.
        with contextlib.suppress(KandongError):
            for _ in self._engine.generate(request, priority=Priority.WARM_UP):
                if not self._is_wanted.is_set():
                    return

    def wait(self) -> None:
        """Wait until everything is computed."""
        self._thread.join()

    def stop(self) -> None:
        """Stop after the current stage."""
        self._is_wanted.clear()
        self._thread.join()


def form_of(options: dict[str, Any]) -> AnswerForm | None:
    """Take the one option that says what an answer must look like out of ``options``; ``None`` if there is none.

    ``json_schema`` (a dict), ``json_object`` (True), ``regex`` (a pattern), ``choices`` (a list of texts).
    Errors: ``InputError`` for two of them.
    """
    kinds = {"json_schema": "json_schema", "json_object": "json_object", "regex": "regex", "choices": "choice"}
    given = {name: value for name in kinds if (value := options.pop(name, None)) not in (None, False)}
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} are both given.", hint="Give one of them.", field=list(given)[1])
    for name, value in given.items():
        return AnswerForm(kinds[name], None if name == "json_object" else value)  # type: ignore[arg-type]
    return None


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
