"""A model that answers by a script: for what a real one does only now and then, as misreading or obeying a picture.

The script sees the request as the engine would, and what it gives is checked against the asked form, as the grammar
would have it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache

import jsonschema

from kandong.types import Picture
from kandong.vlm.config import ModelConfig, read_model_config
from kandong.vlm.prompt import TextPart
from kandong.vlm.request import Answer, Event, Priority, Progress, Request, Timings
from tests.inspection import GOLDEN

Script = Callable[[Request], str]
NO_TIME = Timings(*[0.0] * 7)


@cache
def golden_config() -> ModelConfig:
    return read_model_config(GOLDEN / "tied")


class ScriptedModel:
    """Keeps every request; ``script`` gives the text of each answer."""

    def __init__(self, script: Script) -> None:
        self.config = golden_config()
        self.requests: list[Request] = []
        self._script = script

    def generate(self, request: Request, *, priority: Priority = Priority.INTERACTIVE) -> Iterator[Event]:  # noqa: ARG002
        if request.prefill_only:
            yield answer_of("")
            return
        self.requests.append(request)
        text = self._script(request)
        if request.form is not None and request.form.kind == "json_schema":
            jsonschema.validate(json.loads(text), request.form.value)
        if request.form is not None and request.form.kind == "choice":
            assert text in request.form.value
        yield Progress("prefill", 1, 1)
        yield answer_of(text)


def answer_of(text: str) -> Answer:
    return Answer(text, "stop", 1, 0, (1,), (), NO_TIME)


def words_of(request: Request) -> str:
    """Give the words of the last message."""
    return "".join(part.text for part in request.messages[-1].parts if isinstance(part, TextPart))


def first_picture(request: Request) -> Picture:
    picture = request.pictures[0]
    assert isinstance(picture, Picture)
    return picture
