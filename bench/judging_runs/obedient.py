"""A model that answers by a script, for judging what no real one does reliably: misreading, or obeying a picture.

Owns: the engine's shape around a script. Must not know: what the script says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kandong.vlm.config import ModelConfig
from kandong.vlm.request import Answer, Event, Priority, Request, Timings

_NO_TIME = Timings(*[0.0] * 7)


class ScriptedEngine:
    """An engine whose answers ``script`` gives, request by request."""

    def __init__(self, config: ModelConfig, script: Callable[[Request], str]) -> None:
        self.config = config
        self._script = script

    def generate(self, request: Request, *, priority: Priority = Priority.INTERACTIVE) -> Iterator[Event]:  # noqa: ARG002
        """Answer at once."""
        text = "" if request.prefill_only else self._script(request)
        yield Answer(text, "stop", 1, 0, (1,), (), _NO_TIME)
