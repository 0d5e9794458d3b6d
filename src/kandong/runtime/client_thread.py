"""The client's own thread: it alone talks to the engine's process, and decides what becomes of requests when that dies.

Owns: connections, one for each life of the process; sending again; deadlines. Must not know: what is asked.

A request that has shown no text when the process dies is sent again, once it had been begun; one that had only waited
is sent again each time. One that was begun in two lives, and ended both, is poison: from its second life on it runs
alone (see quarantine.py), so there is no doubt.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zmq

from kandong.errors import (
    EngineLostError,
    EngineUnavailableError,
    InputError,
    KandongError,
    PoisonRequestError,
)
from kandong.runtime.handle import Handle
from kandong.runtime.life import Life, StateWatch
from kandong.runtime.messages import Cancel, Events, PictureHeader, Ping, Pixels, PixelsNeeded, Rejected, Status
from kandong.runtime.waker import Waker
from kandong.runtime.wire import error_from_plain, event_from_wire
from kandong.types import Picture
from kandong.vlm.request import END_OF_REQUEST, Answer, Cancelled, Event, Failed

PING_EVERY_S = 1.0
CANCEL_WITHIN_S = 2.0
MAX_RESENT = 4
_IDLE_LOOK_S, _EAGER_LOOK_S = 0.5, 0.05


@dataclass(frozen=True)
class Health:
    """How the engine is. ``state`` is that of the process if it answers, else what its supervisor says of it."""

    state: str
    status: Status | None
    num_restarts: int
    retry_in_s: float | None
    error: KandongError | None

    @property
    def is_ready(self) -> bool:
        """Whether a request would be taken now."""
        return self.state == "ready"


class ClientThread:
    """Runs from construction to ``close``. Public methods may be called by any thread."""

    def __init__(self, folder: Path, find_picture: Callable[[str], Picture | None]) -> None:
        self._find_picture = find_picture
        self._waker = Waker()
        self._lock = threading.Lock()
        self._new: deque[Handle] = deque()
        self._unwanted: deque[Handle] = deque()
        self._handles: dict[str, Handle] = {}
        self._unsent: deque[Handle] = deque()
        self._watch = StateWatch(folder)
        self._context = zmq.Context[zmq.Socket[bytes]](io_threads=1)
        self._life: Life | None = None
        self._status: Status | None = None
        self._asked_for_status: list[threading.Event] = []
        self._pinged = 0.0
        self._is_pinging = False
        self._is_closing = False
        self._counts: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="engine-client", daemon=True)
        self._thread.start()

    @property
    def num_in_flight(self) -> int:
        """Number of requests without their terminal event."""
        return len(self._handles) + len(self._new)

    def submit(self, handle: Handle) -> bool:
        """Take a request; False once closed."""
        with self._lock:
            if self._is_closing:
                return False
            self._new.append(handle)
        self._waker.wake()
        return True

    def cancel(self, handle: Handle) -> None:
        """Stop a request."""
        with self._lock:
            self._unwanted.append(handle)
        self._waker.wake()

    def health(self, timeout_s: float) -> Health:
        """See ``EngineClient.health``."""
        answered = threading.Event()
        with self._lock:
            self._asked_for_status.append(answered)
        self._waker.wake()
        is_answered = answered.wait(timeout_s)
        with self._lock, contextlib.suppress(ValueError):
            self._asked_for_status.remove(answered)
        state = self._watch.state
        status = self._status if is_answered else None
        told = state.state if state else "stopped"
        name = status.state if status else ("unresponsive" if told == "ready" else told)
        retry_in_s = max(0.0, state.retry_at_s - time.time()) if state and state.retry_at_s else None
        error = error_from_plain(state.error) if state and state.error else None
        return Health(name, status, state.num_restarts if state else 0, retry_in_s, error)

    def metrics(self) -> dict[str, float]:
        """See ``EngineClient.metrics``."""
        names = ("submitted", "finished", "cancelled", "failed", "resent", "lost", "poison", "lives")
        values = {f"client_{name}": float(self._counts[name]) for name in names}
        values["client_in_flight"] = float(self.num_in_flight)
        if (state := self._watch.state) is not None:
            values["engine_restarts"] = float(state.num_restarts)
        if (status := self._status) is not None:
            values |= {"engine_waiting": float(status.num_waiting), "engine_running": float(status.num_in_engine)}
            values |= {f"engine_{name}": value for name, value in status.telemetry.items()}
        return values

    def close(self) -> None:
        """Cancel what is in flight and end the thread."""
        with self._lock:
            self._is_closing = True
        self._waker.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(5.0)

    def _run(self) -> None:
        try:
            while not self._is_closing:
                self._turn()
        finally:
            self._finish_all(Failed(EngineUnavailableError("The client of the engine was closed.")))
            if self._life:
                self._life.flush()
                self._life.close(linger_ms=200)
            self._waker.close()
            self._context.destroy(linger=200)

    def _finish_all(self, event: Failed) -> None:
        with self._lock:
            self._is_closing = True
            left = [*self._handles.values(), *self._new]
            self._new.clear()
        for handle in left:
            if self._life and handle.course.is_sent:
                self._life.queue(Cancel(handle.request_id))
            handle.deliver(event)
        self._handles.clear()
        for answered in self._asked_for_status:
            answered.set()

    def _turn(self) -> None:
        self._wait()
        self._waker.drain()
        if self._life:
            for message in self._life.receive():
                self._hear(message)
            if self._life.is_over:
                self._bury()
        self._take_commands()
        self._look_at_state()
        self._send()
        self._keep_time()

    def _wait(self) -> None:
        poller = zmq.Poller()
        poller.register(self._waker.fileno(), zmq.POLLIN)
        if self._life:
            self._life.register(poller)
        now = time.monotonic()
        times = [self._watch.next_look]
        times += [min(h.next_deadline(), h.course.cancel_until or 1e18) for h in self._handles.values()]
        if self._life:
            times.append(self._pinged + PING_EVERY_S)
        poller.poll(max(0, int((min(times) - now) * 1e3) + 1))

    def _take_commands(self) -> None:
        with self._lock:
            new, unwanted = list(self._new), list(self._unwanted)
            self._unwanted.clear()
            for handle in new:
                self._handles[handle.request_id] = handle
            self._new.clear()
        self._unsent += new
        self._counts["submitted"] += len(new)
        if new:
            self._watch.look_soon()
        for handle in unwanted:
            if handle.is_done or handle.course.cancel_until is not None:
                continue
            if self._life and handle.course.is_sent:
                handle.course.cancel_until = time.monotonic() + CANCEL_WITHIN_S
                self._life.queue(Cancel(handle.request_id))
            else:
                self._finish(handle, Cancelled())

    def _look_at_state(self) -> None:
        is_eager = self._life is None and bool(self._handles or self._asked_for_status)
        if not self._watch.look(_EAGER_LOOK_S if is_eager else _IDLE_LOOK_S):
            return
        state = self._watch.state
        if self._life is None and state and state.endpoint and self._watch.is_new_life:
            self._life = Life(self._context, state.endpoint, state.keys, state.generation)
            self._watch.mark_met()
            self._counts["lives"] += 1
            self._pinged = 0.0
            self._is_pinging = False
        if self._life is None and (error := self._watch.refusal()) is not None:
            for handle in list(self._handles.values()):
                self._finish(handle, Failed(error))
        if self._life is None:
            self._answer_health()

    def _send(self) -> None:
        if self._life is None:
            return
        while self._unsent:
            handle = self._unsent.popleft()
            if not handle.is_done:
                handle.course.is_sent = True
                self._life.queue(handle.message)
        now = time.monotonic()
        if now - self._pinged >= PING_EVERY_S or (self._asked_for_status and not self._is_pinging):
            self._life.queue(Ping())
            self._is_pinging, self._pinged = True, now
        self._life.flush()

    def _hear(self, message: object) -> None:
        if isinstance(message, Status):
            self._status = message
            self._is_pinging = False
            self._answer_health()
        elif isinstance(message, Events):
            for request_id, plain in message.items:
                if (handle := self._handles.get(request_id)) is not None:
                    self._deliver(handle, plain)
        elif isinstance(message, PixelsNeeded):
            self._send_pixels(message)
        elif isinstance(message, Rejected):
            refused = self._handles.get(message.request_id or "")
            if refused is not None:
                self._finish(refused, Failed(error_from_plain(message.error)))

    def _deliver(self, handle: Handle, plain: object) -> None:
        try:
            event = event_from_wire(plain)
        except InputError as error:
            event = Failed(error)
        if isinstance(event, END_OF_REQUEST):
            self._finish(handle, event)
        else:
            handle.deliver(event)

    def _send_pixels(self, message: PixelsNeeded) -> None:
        handle = self._handles.get(message.request_id)
        if handle is None or self._life is None:
            return
        for digest in message.digests:
            picture = handle.pictures.get(digest) or self._find_picture(digest)
            if picture is None:
                self._life.queue(Cancel(handle.request_id))
                missing = InputError("The engine has forgotten a picture.", hint="Send it again.", field="pictures")
                self._finish(handle, Failed(missing))
                return
            header = PictureHeader(digest, picture.height_px, picture.width_px)
            pixels = np.ascontiguousarray(picture.rgb).data.cast("B")
            self._life.queue(Pixels(handle.request_id, header), pixels)

    def _answer_health(self) -> None:
        with self._lock:
            asked, self._asked_for_status = self._asked_for_status, []
        for answered in asked:
            answered.set()

    def _bury(self) -> None:
        """Decide what becomes of each request that the dead process had."""
        assert self._life is not None
        self._life.close()
        self._life = None
        self._status = None
        self._watch.look_soon()
        for handle in list(self._handles.values()):
            course = handle.course
            if not course.is_sent:
                continue
            course.num_lives_started += course.started is not None
            if course.cancel_until is not None:
                self._finish(handle, Cancelled())
            elif course.has_text:
                self._counts["lost"] += 1
                self._finish(handle, Failed(_lost("after a part of the answer had been written")))
            elif course.num_lives_started > 1:
                self._finish(handle, Failed(_poison()))
            elif course.num_resent >= MAX_RESENT:
                self._counts["lost"] += 1
                self._finish(handle, Failed(_lost("again and again")))
            else:
                course.num_resent += 1
                course.is_sent, course.started = False, None
                self._counts["resent"] += 1
                self._unsent.append(handle)

    def _keep_time(self) -> None:
        now = time.monotonic()
        for handle in list(self._handles.values()):
            if (late := handle.overdue(now)) is not None:
                if self._life and handle.course.is_sent:
                    self._life.queue(Cancel(handle.request_id))
                self._finish(handle, Failed(late))
            elif handle.course.cancel_until is not None and now >= handle.course.cancel_until:
                self._finish(handle, Cancelled())
        if self._life:
            self._life.flush()

    def _finish(self, handle: Handle, event: Event) -> None:
        self._handles.pop(handle.request_id, None)
        if handle.deliver(event):
            kind = "finished" if isinstance(event, Answer) else type(event).__name__.lower()
            self._counts[kind] += 1
            if isinstance(event, Failed) and isinstance(event.error, PoisonRequestError):
                self._counts["poison"] += 1
        if not handle.course.is_sent:
            with contextlib.suppress(ValueError):
                self._unsent.remove(handle)


def _lost(when: str) -> EngineLostError:
    return EngineLostError(f"The engine died {when}.", hint="Send the request again.")


def _poison() -> PoisonRequestError:
    return PoisonRequestError(
        "The engine died of this request twice; it is not tried again.",
        hint="Change the request, or report it with its pictures.",
    )
