"""Several requests about one post, run together on an engine: the pictures once, then everything side by side.

Owns: the order that lets requests find each other's work, threads, progress, cancelling. Must not know: what is asked.
An engine reads weights once a step for all answers that are being written, so side by side is much cheaper than one
after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from kandong.errors import CancelledError, KandongError
from kandong.runtime.conversation import AnsweringEngine
from kandong.vlm.request import Answer, Cancelled, Priority, Progress, Request, TextPiece

MAX_AT_ONCE: Final = 8


@dataclass(frozen=True)
class Job:
    """A request; those of one ``group`` share more than the pictures, so the first of them goes ahead."""

    request: Request
    group: str | None = None


@dataclass(frozen=True)
class JobProgress:
    """How far a job is: stage ``vision``, ``prefill``, ``writing`` (tokens so far, no total) or ``done``."""

    name: str
    stage: str
    num_done: int = 0
    num_total: int | None = None


Listener = Callable[[JobProgress], None]


class _Run:
    def __init__(
        self, engine: AnsweringEngine, priority: Priority, listener: Listener, cancel: threading.Event | None
    ) -> None:
        self._engine = engine
        self._priority = priority
        self._listener = listener
        self._cancel = cancel
        self._lock = threading.Lock()

    def tell(self, progress: JobProgress) -> None:
        with self._lock:
            self._listener(progress)

    def answer(self, name: str, request: Request, ahead: threading.Event | None = None) -> Answer | KandongError:
        """Run one request to its end; ``ahead`` is set when its prompt is read, whatever happens."""
        events = self._engine.generate(request, priority=self._priority)
        num_pieces = 0
        try:
            for event in events:
                if self._cancel is not None and self._cancel.is_set():
                    return CancelledError("The analysis was cancelled.")
                if isinstance(event, Progress):
                    self.tell(JobProgress(name, event.stage, event.num_done, event.num_total))
                elif isinstance(event, TextPiece):
                    num_pieces += 1
                    self.tell(JobProgress(name, "writing", num_pieces))
                elif isinstance(event, Answer):
                    return event
                elif isinstance(event, Cancelled):
                    return CancelledError("The request was cancelled.")
                is_read = isinstance(event, Progress) and event.stage == "prefill" and event.num_done >= event.num_total
                if ahead is not None and (is_read or isinstance(event, TextPiece)):
                    ahead.set()
        except KandongError as error:
            return error
        finally:
            if ahead is not None:
                ahead.set()
            close = getattr(events, "close", None)
            if close is not None:
                close()
            self.tell(JobProgress(name, "done"))
        return CancelledError("The request ended without an answer.")


def run_jobs(
    engine: AnsweringEngine,
    jobs: Mapping[str, Job],
    *,
    beginning: Request | None = None,
    priority: Priority = Priority.INTERACTIVE,
    listener: Listener = lambda _: None,
    cancel: threading.Event | None = None,
) -> dict[str, Answer | KandongError]:
    """Run jobs side by side; each gives its answer or its error, under its name.

    ``beginning``, the prompt that they share, is computed first if more than one of them shows pictures. ``listener``
    is called from one thread at a time. ``cancel`` ends all of them after their current step.
    """
    run = _Run(engine, priority, listener, cancel)
    with_pictures = [job for job in jobs.values() if job.request.pictures]
    if beginning is not None and beginning.pictures and len(with_pictures) > 1:
        error = run.answer("pictures", beginning)
        if isinstance(error, CancelledError):
            return dict.fromkeys(jobs, error)
    leaders: dict[str, tuple[str, threading.Event]] = {}
    for name, job in jobs.items():
        if job.group is not None:
            leaders.setdefault(job.group, (name, threading.Event()))

    def one(name: str, job: Job) -> Answer | KandongError:
        leader = leaders.get(job.group) if job.group is not None else None
        if leader is None:
            return run.answer(name, job.request)
        if leader[0] == name:
            return run.answer(name, job.request, leader[1])
        leader[1].wait()
        return run.answer(name, job.request)

    # Leaders first: whoever waits for one must never hold the last thread.
    names = sorted(jobs, key=lambda name: name not in {leader for leader, _ in leaders.values()})
    with ThreadPoolExecutor(max_workers=max(1, min(MAX_AT_ONCE, len(jobs))), thread_name_prefix="task") as pool:
        futures = {name: pool.submit(one, name, jobs[name]) for name in names}
        return {name: futures[name].result() for name in jobs}
