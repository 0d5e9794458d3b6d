"""Judging a post for one owner: the tasks with this service's engine, readings and kept reports.

Owns: which engine a post gets, and the way from the tasks' events to a stream. Must not know: bodies, what tasks do.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kandong.errors import KandongError
from kandong.reading.report import ImageReading
from kandong.server.engine_gate import EngineGate
from kandong.server.error_replies import error_reply
from kandong.server.event_stream import HEARTBEAT, encode_named
from kandong.server.live_answer import HEARTBEAT_S
from kandong.server.services import Services
from kandong.tasks.analyse import TaskEvent, analyse
from kandong.tasks.post import Post
from kandong.types import Picture
from kandong.vlm.config import ModelConfig
from kandong.vlm.request import Event, Priority, Request

_WITH_MODEL = frozenset({"ready", "starting", "restarting"})


@dataclass(frozen=True)
class Wanted:
    """What is asked about one post."""

    post: Post
    tasks: Sequence[str]
    question: str | None = None
    schema: dict[str, Any] | None = None
    mode: Any = "auto"
    uses_model: bool = True


class OwnersEngine:
    """The service's engine as tasks see it, working for one owner."""

    def __init__(self, gate: EngineGate, owner: str) -> None:
        self._gate = gate
        self._owner = owner

    @property
    def config(self) -> ModelConfig:
        """What the checkpoint says. Errors: as ``EngineGate.config``."""
        return self._gate.config

    def generate(self, request: Request, *, priority: Priority = Priority.INTERACTIVE) -> Iterator[Event]:
        """Answer a request, as ``Engine.generate``. Errors: its own, and ``EngineProcessError``."""
        yield from self._gate.submit(request, client=self._owner, priority=priority).answered_events()


def has_model(services: Services) -> bool:
    """Whether a model answers, now or as soon as it is loaded."""
    return services.engine.state in _WITH_MODEL


def run_reports(
    services: Services,
    owner: str,
    wanted: Wanted,
    listener: Callable[[TaskEvent], None] = lambda _: None,
    cancel: threading.Event | None = None,
) -> dict[str, dict[str, Any]]:
    """Judge a post; gives a report for each task. Errors: as ``analyse``."""
    engine = OwnersEngine(services.engine, owner) if wanted.uses_model and has_model(services) else None

    def read(picture: Picture, index: int) -> ImageReading:
        return replace(services.readings.read(picture), index=index)

    return analyse(
        wanted.post,
        wanted.tasks,
        engine,
        read,
        question=wanted.question,
        schema=wanted.schema,
        mode=wanted.mode,
        model=None if engine is None else {"id": services.engine.model_name},
        listener=listener,
        cancel=cancel,
        cache=services.reports,
    )


class ReportStream:
    """The body of a streamed report: progress, then ``done`` or ``failed``. ``close`` it: that stops the work."""

    def __init__(
        self,
        services: Services,
        owner: str,
        wanted: Wanted,
        finish: Callable[[dict[str, dict[str, Any]]], Any],
        is_unwanted: Callable[[], bool],
    ) -> None:
        self._finish = finish
        self._is_unwanted = is_unwanted
        self._cancel = threading.Event()
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        arguments = (services, owner, wanted)
        self._thread = threading.Thread(target=self._work, args=arguments, name="reports", daemon=True)
        self._thread.start()
        self._parts = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._parts)

    def close(self) -> None:
        """Cancel what is still under way. Idempotent."""
        self._cancel.set()

    def _work(self, services: Services, owner: str, wanted: Wanted) -> None:
        try:
            reports = run_reports(services, owner, wanted, self._hear, self._cancel)
            self._events.put(("done", self._finish(reports)))
        except KandongError as error:
            self._events.put(("failed", error_reply(error)))
        except Exception:  # noqa: BLE001 - the edge of a thread: whatever it is, the reader must hear of an end
            self._events.put(("failed", error_reply(KandongError("The analysis failed.", hint="Report it."))))

    def _hear(self, event: TaskEvent) -> None:
        progress = {"task": event.task, "stage": event.stage, "num_done": event.num_done, "num_total": event.num_total}
        self._events.put(("progress", progress))

    def _run(self) -> Iterator[bytes]:
        written = time.monotonic()
        while True:
            try:
                name, data = self._events.get(timeout=0.5)
            except queue.Empty:
                if self._is_unwanted():
                    self._cancel.set()
                    return
                if time.monotonic() - written >= HEARTBEAT_S:
                    yield HEARTBEAT
                    written = time.monotonic()
                continue
            yield encode_named(name, data)
            written = time.monotonic()
            if name in ("done", "failed"):
                return
