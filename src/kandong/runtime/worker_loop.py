"""The one thread that owns the engine: take requests in, step, send out what came of it.

Owns: requests from their arrival in this process to their one terminal event, and who is let into the engine when.
Must not know: sockets, how messages are read. ``Inbox`` and ``Outbox`` are what it shares with the thread that does.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kandong.errors import EngineUnavailableError, InputError, KandongError, PoisonRequestError, QueueFullError
from kandong.runtime.engine_protocol import StepEngine
from kandong.runtime.messages import (
    MAX_PICTURE_BYTES_OF_A_REQUEST,
    Events,
    PixelsNeeded,
    Rejected,
    Submit,
    ToClient,
    content_digest,
    encode,
)
from kandong.runtime.quarantine import Quarantine
from kandong.runtime.waker import Waker
from kandong.runtime.wire import error_to_plain, to_plain
from kandong.types import Picture, PictureRef
from kandong.vlm.request import END_OF_REQUEST, Cancelled, Event, Failed, Priority, Request

MAX_COMMANDS = 1_024
MAX_REQUESTS = 512
PIXELS_WITHIN_S = 30.0
TELEMETRY_EVERY_S = 0.2

Owner = bytes


@dataclass(frozen=True)
class SubmitCommand:
    """A request of a client, read and checked."""

    owner: Owner
    message: Submit
    request: Request


@dataclass(frozen=True)
class CancelCommand:
    """A client no longer wants a request; ``None`` means all of its requests, because it is gone."""

    owner: Owner
    request_id: str | None


@dataclass(frozen=True)
class PixelsCommand:
    """A picture that was asked for; ``digest`` is what the client says it is."""

    owner: Owner
    request_id: str
    digest: str
    picture: Picture


Command = SubmitCommand | CancelCommand | PixelsCommand


class Inbox:
    """Commands for the engine's thread, from any thread; bounded, and quiet while there are none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._commands: deque[Command] = deque()
        self._asked: set[tuple[Owner, str, str]] = set()
        self.drain_until: float | None = None

    def put(self, command: Command) -> bool:
        """Add a command; False if too many wait. What ends work is always taken."""
        with self._changed:
            if len(self._commands) >= MAX_COMMANDS and not isinstance(command, CancelCommand):
                return False
            self._commands.append(command)
            self._changed.notify()
            return True

    def drain(self, until: float) -> None:
        """Ask the thread to end when all is done, or at the time ``until`` (monotonic)."""
        with self._changed:
            self.drain_until = until if self.drain_until is None else min(until, self.drain_until)
            self._changed.notify()

    def take(self, wait_s: float | None) -> list[Command]:
        """Take all commands; waits for one, or for ``drain``, up to ``wait_s``."""
        with self._changed:
            if not self._commands and wait_s != 0:
                self._changed.wait(wait_s)
            commands = list(self._commands)
            self._commands.clear()
            return commands

    def ask(self, owner: Owner, request_id: str, digest: str) -> None:
        """Note that pixels were asked for; others are not taken."""
        with self._changed:
            self._asked.add((owner, request_id, digest))

    def was_asked(self, owner: Owner, request_id: str, digest: str, *, is_over: bool = False) -> bool:
        """Whether these pixels were asked for and have not come yet; ``is_over`` forgets them."""
        with self._changed:
            key = (owner, request_id, digest)
            was_asked = key in self._asked
            if is_over:
                self._asked.discard(key)
            return was_asked


class Outbox:
    """Messages for the thread that owns the socket."""

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._messages: deque[tuple[Owner, bytes]] = deque()

    def put(self, owner: Owner, message: ToClient) -> None:
        """Add a message. Errors: as ``encode``."""
        self._messages.append((owner, encode(message)))
        self._waker.wake()

    def take(self) -> tuple[Owner, bytes] | None:
        """Take the oldest message, if there is one."""
        return self._messages.popleft() if self._messages else None


@dataclass
class _Job:
    key: str  # the id that the engine sees: a client's own ids may be another's, too
    owner: Owner
    name: str
    request: Request
    digest: bytes
    client: str
    priority: Priority
    pixels: dict[str, Picture] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    pixels_until: float = 0.0
    is_unwanted: bool = False


class EngineLoop:
    """Runs one engine until it is drained. All methods but the counters belong to the engine's thread."""

    def __init__(self, engine: StepEngine, inbox: Inbox, outbox: Outbox, quarantine: Quarantine) -> None:
        self._engine = engine
        self._inbox = inbox
        self._outbox = outbox
        self._quarantine = quarantine
        self._jobs: dict[str, _Job] = {}
        self._keys: dict[tuple[Owner, str], str] = {}
        self._waiting: deque[_Job] = deque()  # has all that it needs, is not in the engine
        self._inside: set[str] = set()
        self._lone: str | None = None  # a suspect that has the engine to itself
        self._num_taken = 0
        self._telemetry_at = 0.0
        self.step_started: float | None = None
        self.telemetry: dict[str, float] = {}

    @property
    def num_waiting(self) -> int:
        """Number of requests that are not in the engine yet."""
        return len(self._jobs) - len(self._inside)

    @property
    def num_in_engine(self) -> int:
        """Number of requests that the engine holds."""
        return len(self._inside)

    def run(self) -> None:
        """Work until drained. An exception of a step gets out: whoever called must end the process."""
        while True:
            self.step_started = None
            commands = self._inbox.take(self._patience_s())
            self.step_started = time.monotonic()
            for command in commands:
                self._obey(command)
            self._give_up_on_pixels()
            self._admit()
            if self._is_drained():
                return
            if self._engine.has_work:
                events = self._engine.step()
                self._emit([(self._jobs[key], event) for key, event in events if key in self._jobs])
            elif self._inside:
                lost = Failed(KandongError("The engine lost this request.", hint="Send it again, and report it."))
                self._emit([(self._jobs[key], lost) for key in sorted(self._inside)])
            self._read_telemetry()

    def _patience_s(self) -> float | None:
        """How long there is nothing to do unless a command comes; ``None`` for ever."""
        if self._engine.has_work or self._inside or self._waiting:
            return 0
        times = [job.pixels_until for job in self._jobs.values() if job.missing]
        if self._inbox.drain_until is not None:
            times.append(self._inbox.drain_until if self._jobs else 0.0)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _obey(self, command: Command) -> None:
        if isinstance(command, SubmitCommand):
            self._take(command)
        elif isinstance(command, CancelCommand):
            keys = [k for (owner, name), k in self._keys.items() if owner == command.owner]
            if command.request_id is not None:
                keys = [k for k in keys if self._jobs[k].name == command.request_id]
            for key in keys:
                self._cancel(self._jobs[key])
        else:
            self._receive(command)

    def _take(self, command: SubmitCommand) -> None:
        message, digest = command.message, content_digest(command.message)
        if (command.owner, message.request_id) in self._keys:
            error = InputError("A request with this id is under way.", field="request_id")
            self._outbox.put(command.owner, Rejected(None, error_to_plain(error)))
            return
        self._num_taken += 1
        job = _Job(
            key=f"r{self._num_taken}",
            owner=command.owner,
            name=message.request_id,
            request=command.request,
            digest=digest,
            client=message.client,
            priority=Priority(message.priority),
        )
        self._jobs[job.key] = job
        self._keys[job.owner, job.name] = job.key
        if len(self._jobs) > MAX_REQUESTS:
            full = QueueFullError(f"{MAX_REQUESTS} requests wait for the engine.", hint="Try again in a few seconds.")
            self._emit([(job, Failed(full))])
        elif self._quarantine.is_poison(digest):
            poison = PoisonRequestError(
                "The engine died of this request twice; it is not tried again.",
                hint="Change the request, or report it with its pictures.",
            )
            self._emit([(job, Failed(poison))])
        elif self._ask_for_pixels(job):
            self._waiting.append(job)

    def _ask_for_pixels(self, job: _Job) -> bool:
        """Ask for what the engine does not know; False if the job now waits for pixels or has failed."""
        refs = {p.digest: p for p in job.request.pictures if isinstance(p, PictureRef)}
        try:
            unknown = [
                digest
                for digest, ref in refs.items()
                if digest not in job.pixels and self._engine.needs_pixels(ref, job.request.budget)
            ]
        except KandongError as error:
            self._emit([(job, Failed(error))])
            return False
        if sum(3 * refs[d].height_px * refs[d].width_px for d in unknown) > MAX_PICTURE_BYTES_OF_A_REQUEST:
            too_much = InputError("The pictures of this request are too large together.", field="pictures")
            self._emit([(job, Failed(too_much))])
            return False
        if not unknown:
            return True
        job.missing = set(unknown)
        job.pixels_until = time.monotonic() + PIXELS_WITHIN_S
        for digest in unknown:
            self._inbox.ask(job.owner, job.name, digest)
        self._outbox.put(job.owner, PixelsNeeded(job.name, unknown))
        return False

    def _receive(self, command: PixelsCommand) -> None:
        """Take a picture, if it is what it is said to be."""
        self._inbox.was_asked(command.owner, command.request_id, command.digest, is_over=True)
        key = self._keys.get((command.owner, command.request_id))
        if key is None or command.digest not in self._jobs[key].missing:
            return
        job = self._jobs[key]
        if command.picture.digest != command.digest:
            wrong = InputError("A picture's pixels are not those that were announced.", field="pictures")
            self._emit([(job, Failed(wrong))])
            return
        job.pixels[command.digest] = command.picture
        job.missing.discard(command.digest)
        if not job.missing:
            self._waiting.append(job)

    def _give_up_on_pixels(self) -> None:
        now = time.monotonic()
        late = [job for job in self._jobs.values() if job.missing and job.pixels_until <= now]
        error = InputError("A picture's pixels did not come.", hint="Send the request again.", field="pictures")
        self._emit([(job, Failed(error)) for job in late])

    def _admit(self) -> None:
        """Let waiting requests into the engine: all of them, but a suspect only alone."""
        while self._waiting and self._lone is None and not self._quarantine.is_full:
            job = self._waiting[0]
            is_suspect = self._quarantine.num_deaths(job.digest) > 0
            if is_suspect and self._inside:
                return
            self._waiting.popleft()
            if not self._ask_for_pixels(job):  # the engine has forgotten a picture meanwhile
                continue
            pictures = tuple(job.pixels.get(p.digest, p) for p in job.request.pictures)
            self._enter(job, dataclasses.replace(job.request, pictures=pictures), is_suspect=is_suspect)

    def _enter(self, job: _Job, request: Request, *, is_suspect: bool) -> None:
        self._quarantine.enter(job.key, job.digest)
        self._inside.add(job.key)
        if is_suspect:
            self._lone = job.key
        try:
            self._engine.submit(job.key, request, client=job.client, priority=job.priority)
        except KandongError as error:
            self._emit([(job, Failed(error))])
        job.pixels.clear()

    def _cancel(self, job: _Job) -> None:
        if job.key in self._inside:
            if not job.is_unwanted:
                self._engine.cancel(job.key)
            job.is_unwanted = True
            return
        if job in self._waiting:
            self._waiting.remove(job)
        self._emit([(job, Cancelled())])

    def _emit(self, events: Sequence[tuple[_Job, Event]]) -> None:
        """Send events, one message for each client; a terminal one ends its request."""
        by_owner: dict[Owner, list[tuple[str, dict[str, Any]]]] = {}
        for job, event in events:
            if job.key in self._jobs:
                by_owner.setdefault(job.owner, []).append((job.name, to_plain(event)))
                if isinstance(event, END_OF_REQUEST):
                    self._forget(job, is_cleared=not isinstance(event, Cancelled))
        for owner, items in by_owner.items():
            self._send(owner, items)

    def _send(self, owner: Owner, items: list[tuple[str, dict[str, Any]]]) -> None:
        try:
            self._outbox.put(owner, Events(items))
        except KandongError as error:
            if len(items) > 1:
                for item in items:
                    self._send(owner, [item])
            else:
                self._outbox.put(owner, Events([(items[0][0], to_plain(Failed(error)))]))

    def _forget(self, job: _Job, *, is_cleared: bool) -> None:
        for digest in job.missing:
            self._inbox.was_asked(job.owner, job.name, digest, is_over=True)
        if job.key in self._inside:
            self._inside.discard(job.key)
            self._quarantine.leave(job.key, job.digest, is_cleared=is_cleared)
        if self._lone == job.key:
            self._lone = None
        del self._jobs[job.key], self._keys[job.owner, job.name]

    def _is_drained(self) -> bool:
        if self._inbox.drain_until is None:
            return False
        if self._jobs and time.monotonic() >= self._inbox.drain_until:
            stopped = EngineUnavailableError(
                "The engine was stopped before this request was done.", hint="Send it again when it runs."
            )
            self._emit([(job, Failed(stopped)) for job in list(self._jobs.values())])
        return not self._jobs

    def _read_telemetry(self) -> None:
        now = time.monotonic()
        if not self._engine.has_work or now - self._telemetry_at >= TELEMETRY_EVERY_S:
            self._telemetry_at = now
            self.telemetry = {name: float(value) for name, value in self._engine.telemetry().items()}
