"""Chat bound to evidence: what was read in a conversation's pictures goes beside them, and its answers are checked.

Owns: when that is done, and doing without where a picture cannot be read. Must not know: HTTP, prompts' words, how
numbers are checked.

The demonstration model knows only a few short questions, so it is asked plainly; its answers are checked all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from kandong.errors import KandongError
from kandong.reading.report import ImageReading
from kandong.server.asking import Asked, LoadPicture, Prepared, prepare_plain
from kandong.server.readings import Readings
from kandong.tasks.assist import assist
from kandong.types import Picture, PictureRef
from kandong.vlm.config import ModelConfig
from kandong.vlm.request import Request


class AssistedModel(Protocol):
    """What has to be known of the model that will answer."""

    @property
    def config(self) -> ModelConfig:
        """What its checkpoint says. Errors: as ``EngineGate.config``."""

    @property
    def is_demo(self) -> bool:
        """Whether it is the demonstration model."""


class Assistant:
    """Makes requests ready and checks their answers. Thread-safe."""

    def __init__(self, readings: Readings, model: AssistedModel) -> None:
        self._readings = readings
        self._model = model

    def prepare(self, asked: Asked, load: LoadPicture) -> Prepared:
        """As ``prepare_plain``, with evidence unless the conversation's settings want none. Errors: the same.

        Words of a post are quoted as data in any case.
        """
        request = prepare_plain(asked, load).request
        post_text = asked.settings.post_text or ""
        if asked.settings.assist is not False:
            return self.assist(request, post_text)
        return Prepared(assist(request, {}, self._model.config, post_text=post_text).request if post_text else request)

    def assist(self, request: Request, post_text: str = "") -> Prepared:
        """Make a request ready; pictures that cannot be read go as they are. Errors: as ``EngineGate.config``."""
        readings = self._read(request.pictures)
        assisted = assist(request, readings, self._model.config, post_text=post_text)
        ready = assisted.request
        if self._model.is_demo:
            ready = replace(request, draft_sources=ready.draft_sources)
        return Prepared(ready, lambda answer: assisted.check(answer).to_dict())

    def _read(self, pictures: Sequence[Picture | PictureRef]) -> dict[int, ImageReading]:
        found: dict[int, ImageReading] = {}
        for index, picture in enumerate(pictures):
            if isinstance(picture, Picture):
                try:
                    found[index] = replace(self._readings.read(picture), index=index)
                except KandongError:
                    continue
        return found
