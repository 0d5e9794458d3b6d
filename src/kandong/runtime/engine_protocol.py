"""The engine as its process sees it: take a request, run one step, say what came of it.

Owns: the interface between the engine's process and whatever engine runs in it. Must not know: how an engine works,
how messages travel. Every method is called by one thread only, the one that owns the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from kandong.types import PictureRef
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.request import Event, Priority, Request


class StepEngine(Protocol):
    """An engine that works in steps of at most about half a second."""

    def submit(
        self,
        request_id: str,
        request: Request,
        *,
        client: str = "local",
        priority: Priority = Priority.INTERACTIVE,
    ) -> None:
        """Take a request. Errors: any ``KandongError``, at once; the request has then not been taken."""

    def needs_pixels(self, picture: PictureRef, budget: PixelBudget) -> bool:
        """Whether a request with this picture could not run without its pixels. Errors: as ``submit``."""

    def cancel(self, request_id: str) -> None:
        """Stop a request; its ``Cancelled`` comes with the next step. Unknown ids are no error."""

    def step(self) -> Sequence[tuple[str, Event]]:
        """Do one piece of work; gives what came of it, by request. A terminal event is a request's last."""

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""

    def telemetry(self) -> Mapping[str, float]:
        """Give counters and gauges by name."""
