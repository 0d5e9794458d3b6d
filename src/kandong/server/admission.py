"""Who may start work now: caps of one owner, predicted waiting for all, threads, and nobody while draining.

Owns: what is under way, predictions of waiting, and the refusals 429 and 503 with their times. Must not know: HTTP,
what the work is. Thread-safe; no call waits for work.

The engine serves owners in turn (start-time fair queueing), so whoever has little waiting does not wait for whoever has
much: the wait of an owner is its own seconds times the number of owners at work, and never more than all seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kandong.errors import EngineUnavailableError, QueueFullError, RateLimitError

_LOOK_EVERY_S = 0.05
_HALF_LIFE_S = 60.0
_MIN_SPEED, _MAX_SPEED = 0.25, 20.0


@dataclass(frozen=True)
class AdmissionLimits:
    """``max_wait_s`` of predicted waiting, answers of one owner at once, threads that long requests may hold."""

    max_wait_s: float = 120.0
    max_in_flight: int = 32
    max_long_requests: int = 52


@dataclass
class _Work:
    owner: str
    predicted_s: float
    is_done: Callable[[], bool]


@dataclass
class _Pace:
    """How much faster work is done than predicted alone: answers share steps, and caches save some."""

    done_s: float = _HALF_LIFE_S
    busy_s: float = _HALF_LIFE_S
    looked: float = field(default_factory=time.monotonic)

    def look(self, now: float, *, is_busy: bool, done_s: float) -> None:
        passed = now - self.looked
        self.looked = now
        if not is_busy and not done_s:
            return
        fade = 0.5 ** (passed / _HALF_LIFE_S)
        self.busy_s = self.busy_s * fade + passed
        self.done_s = self.done_s * fade + done_s

    @property
    def speed(self) -> float:
        return min(_MAX_SPEED, max(_MIN_SPEED, self.done_s / self.busy_s))


class Admission:
    """Counts work from its admission until it is done."""

    def __init__(
        self, limits: AdmissionLimits | None = None, max_in_flight_of: Callable[[str], int | None] | None = None
    ) -> None:
        """``max_in_flight_of`` gives an owner's own cap, ``None`` for the general one."""
        self._limits = limits or AdmissionLimits()
        self._max_in_flight_of = max_in_flight_of or (lambda _: None)
        self._lock = threading.Lock()
        self._work: list[_Work] = []
        self._pace = _Pace()
        self._num_long = 0
        self._is_draining = False

    @property
    def is_draining(self) -> bool:
        """Whether no work is taken any more."""
        return self._is_draining

    def begin_drain(self) -> None:
        """Refuse all new work from now on."""
        self._is_draining = True

    def check(self, owner: str) -> None:
        """Refuse early what would be refused anyway, before a body is read. Errors: as ``admit``."""
        with self._lock:
            self._check(owner)

    def admit(self, owner: str, predicted_s: float, start: Callable[[], Callable[[], bool]]) -> None:
        """Start work and count it; ``start`` gives the function that tells whether it is done.

        Errors: ``RateLimitError`` (the owner's own cap), ``QueueFullError`` (predicted to wait too long),
        ``EngineUnavailableError`` (draining), and those of ``start``; then nothing is counted.
        """
        with self._lock:
            self._check(owner)
            work = _Work(owner, predicted_s, lambda: False)
            self._work.append(work)
        try:
            work.is_done = start()
        except BaseException:
            with self._lock:
                self._work.remove(work)
            raise

    def take_thread(self) -> Callable[[], None]:
        """Hold one of the threads that long requests may have; gives the function that gives it back, once.

        Errors: ``QueueFullError``.
        """
        with self._lock:
            if self._num_long >= self._limits.max_long_requests:
                raise QueueFullError(
                    f"{self._num_long} requests are being answered, as many as may be at once.",
                    hint="Try again when some of them are done.",
                    retry_after_s=2,
                )
            self._num_long += 1
        is_held = [True]

        def release() -> None:
            with self._lock:
                self._num_long -= is_held[0]
                is_held[0] = False

        return release

    @property
    def num_in_flight(self) -> int:
        """Pieces of work that are not done."""
        with self._lock:
            self._prune()
            return len(self._work)

    @property
    def num_long_requests(self) -> int:
        """Threads that long requests hold."""
        return self._num_long

    def predicted_wait_s(self, owner: str) -> float:
        """Predict how long new work of an owner would wait."""
        with self._lock:
            self._prune()
            return self._wait_s(owner)

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until nothing is under way; whether that came about in time."""
        until = time.monotonic() + timeout_s
        while self.num_in_flight or self._num_long:
            if time.monotonic() >= until:
                return False
            time.sleep(_LOOK_EVERY_S)
        return True

    def _check(self, owner: str) -> None:
        if self._is_draining:
            raise EngineUnavailableError("The service is stopping.", hint="Send the request again when it runs.")
        self._prune()
        own = sum(work.owner == owner for work in self._work)
        cap = self._max_in_flight_of(owner) or self._limits.max_in_flight
        wait_s = self._wait_s(owner)
        if own >= cap:
            raise RateLimitError(
                f"{own} of your requests are under way, as many as you may have at once.",
                hint="Wait until some of them are done.",
                retry_after_s=max(1, min(60, round(wait_s / own))),
            )
        if wait_s > self._limits.max_wait_s:
            raise QueueFullError(
                f"New work would wait about {wait_s:.0f} s, more than {self._limits.max_wait_s:g} s.",
                hint="Try again later.",
                retry_after_s=max(1, min(60, round(wait_s - self._limits.max_wait_s) + 1)),
            )

    def _wait_s(self, owner: str) -> float:
        total = sum(work.predicted_s for work in self._work)
        own = sum(work.predicted_s for work in self._work if work.owner == owner)
        num_owners = len({work.owner for work in self._work} | {owner})
        return min(total, own * num_owners) / self._pace.speed

    def _prune(self) -> None:
        is_busy = bool(self._work)
        done = [work for work in self._work if work.is_done()]
        self._work = [work for work in self._work if work not in done]
        self._pace.look(time.monotonic(), is_busy=is_busy, done_s=sum(work.predicted_s for work in done))
