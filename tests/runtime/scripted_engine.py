"""An engine that does what a request's words tell it to, in a real process: for tests of processes and messages.

Owns: the scripts. The words of the last message are commands: ``say:TEXT:N`` writes TEXT N times, one a step;
``sleep:S`` lets each step last S seconds; ``die`` kills the process at its first step, ``die-after`` after its text;
``die-at-submit`` at once, ``begin die-begun`` once progress was shown; ``hang`` never ends a step; ``raise`` fails a
step with an exception; ``refuse`` is refused at submission; ``die-once:PATH`` dies unless PATH is there, and makes it;
``who`` says whose request it is.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kandong.errors import CheckpointError, PromptTooLongError
from kandong.runtime.worker import OpenedEngine, read_config, serve
from kandong.types import Picture, PictureRef
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.prompt import TextPart
from kandong.vlm.request import (
    Answer,
    Cancelled,
    Event,
    PictureReport,
    Priority,
    Progress,
    Queued,
    Request,
    TextPiece,
    Timings,
)

MAX_RUNNING = 4
NO_TIME = Timings(*[0.0] * 7)


@dataclass
class _Run:
    request: Request
    commands: dict[str, str]
    pieces: list[str] = field(default_factory=list)
    is_begun: bool = False


def words_of(request: Request) -> str:
    """Give the words of a request's last message."""
    return "".join(part.text for part in request.messages[-1].parts if isinstance(part, TextPart))


class ScriptedEngine:
    """Knows every picture that it has once seen; runs four requests at a time."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._known: set[str] = set()
        self._cancelled: list[str] = []
        self._num_steps = 0
        self.num_pictures_seen = 0

    def submit(
        self, request_id: str, request: Request, *, client: str = "local", priority: Priority = Priority.INTERACTIVE
    ) -> None:
        commands = {name: rest for name, _, rest in (word.partition(":") for word in words_of(request).split())}
        if "refuse" in commands:
            raise PromptTooLongError("The prompt is too long.", hint="Shorten it.", field="messages")
        if "die-at-submit" in commands:
            _die()
        if "who" in commands:
            commands["say"] = f"{client}/{int(priority)}:1"
        for picture in request.pictures:
            if isinstance(picture, Picture):
                self.num_pictures_seen += 1
                self._known.add(picture.digest)
            elif picture.digest not in self._known:
                raise AssertionError("a picture came without pixels")
        self._runs[request_id] = _Run(request, commands)

    def needs_pixels(self, picture: PictureRef, budget: PixelBudget) -> bool:  # noqa: ARG002
        return picture.digest not in self._known

    def cancel(self, request_id: str) -> None:
        if request_id in self._runs:
            self._cancelled.append(request_id)

    @property
    def has_work(self) -> bool:
        return bool(self._runs)

    def telemetry(self) -> dict[str, float]:
        return {"steps": self._num_steps, "pictures_seen": self.num_pictures_seen}

    def step(self) -> list[tuple[str, Event]]:
        self._num_steps += 1
        events: list[tuple[str, Event]] = [(key, Cancelled()) for key in self._cancelled if key in self._runs]
        for key, _ in events:
            del self._runs[key]
        self._cancelled.clear()
        order = list(self._runs)
        events += [(key, Queued(i + 1, 1000.0 * i)) for i, key in enumerate(order[MAX_RUNNING:])]
        for key in order[:MAX_RUNNING]:
            events += [(key, event) for event in self._advance(self._runs[key])]
            if isinstance(events[-1][1], Answer):
                del self._runs[key]
        return events

    def _advance(self, run: _Run) -> list[Event]:
        commands = run.commands
        if not run.is_begun:
            run.is_begun = True
            if "die" in commands:
                _die()
            if "begin" in commands:
                return [Progress("prefill", 0, 1)]
        if "hang" in commands:
            time.sleep(3600)
        if "raise" in commands:
            raise RuntimeError("a defect of the engine")
        if "die-begun" in commands:
            _die()
        if "die-once" in commands and not Path(commands["die-once"]).exists():
            Path(commands["die-once"]).touch()
            _die()
        if "sleep" in commands:
            time.sleep(float(commands["sleep"]))
        text, _, count = commands.get("say", "好:1").partition(":")
        if len(run.pieces) < int(count or 1):
            run.pieces.append(text)
            return [TextPiece(text)]
        if "die-after" in commands:
            _die()
        return [_answer(run)]


def _answer(run: _Run) -> Answer:
    pictures = tuple(PictureReport(p.width_px, p.height_px, 1, 1, 1, "computed") for p in run.request.pictures)
    return Answer("".join(run.pieces), "stop", 1, 0, tuple(range(len(run.pieces))), pictures, NO_TIME)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGSEGV if hasattr(signal, "SIGSEGV") else signal.SIGTERM)
    time.sleep(60)


def open_engine(settings: dict[str, Any], report: Callable[[str], None]) -> OpenedEngine:
    """Open the engine, slowly or not at all, as the settings say."""
    report("reading the script")
    time.sleep(settings.get("load_s", 0.0))
    if settings.get("damaged"):
        raise CheckpointError("The script is damaged.", hint="Write it again.")
    if settings.get("dies"):
        _die()
    return OpenedEngine(ScriptedEngine(), {"model": "script"})


if __name__ == "__main__":
    config = read_config()
    serve(lambda report: open_engine(config.engine, report), config)
