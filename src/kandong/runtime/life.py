"""One life of the engine's process as a client sees it, and the supervisor's word on which life it is.

Owns: one connection with what is to be sent over it; reading ``engine.json``. Must not know: requests. One thread uses
it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import zmq

from kandong.errors import EngineUnavailableError, InputError, KandongError
from kandong.runtime.channel import Keys, StateFile, close_socket, connect_client, read_state
from kandong.runtime.messages import ToClient, ToWorker, decode_for_client, encode
from kandong.runtime.wire import error_from_plain

PULSE_WITHIN_S = 15.0
MESSAGES_A_TURN = 256


class Life:
    """A connection to one process. When that ends, ``is_over`` becomes true, at once."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, keys: Keys | None, generation: int
    ) -> None:
        self.generation = generation
        self._socket, self._monitor = connect_client(context, endpoint, keys)
        self._outgoing: deque[tuple[bytes, memoryview | None]] = deque()
        self.is_over = False

    def register(self, poller: zmq.Poller) -> None:
        """Have a poller wait for what happens here."""
        poller.register(self._socket, zmq.POLLIN | (zmq.POLLOUT if self._outgoing else 0))
        poller.register(self._monitor, zmq.POLLIN)

    def queue(self, message: ToWorker, pixels: memoryview | None = None) -> None:
        """Add a message; ``flush`` sends it."""
        self._outgoing.append((encode(message), pixels))

    def flush(self) -> None:
        """Send as much as the process takes."""
        while self._outgoing:
            data, pixels = self._outgoing[0]
            frames: list[bytes | memoryview] = [data] if pixels is None else [data, pixels]
            try:
                self._socket.send_multipart(frames, zmq.NOBLOCK, copy=pixels is None)
            except zmq.ZMQError:
                return
            self._outgoing.popleft()

    def receive(self) -> Iterator[ToClient]:
        """Give what has come; then see whether the process is gone. What it said before it died is still heard."""
        is_over = self._monitor.poll(0) != 0
        for _ in range(MESSAGES_A_TURN if not is_over else 1_000_000):
            try:
                data = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            try:
                yield decode_for_client(data)
            except InputError:
                continue
        self.is_over = is_over

    def close(self, linger_ms: int = 0) -> None:
        """Give the sockets back; what was sent last has this long to leave."""
        close_socket(self._socket, self._monitor, linger_ms)


class StateWatch:
    """Looks at ``engine.json`` now and then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "engine.json"
        self._changed_ns: int | None = None
        self._pulse = time.monotonic()
        self._met = 0
        self.state: StateFile | None = None
        self.next_look = 0.0

    @property
    def is_new_life(self) -> bool:
        """Whether the state names a process that has not been met."""
        return self.state is not None and self.state.generation > self._met

    def mark_met(self) -> None:
        """Do not take this process for a new one again."""
        if self.state is not None:
            self._met = self.state.generation

    def look_soon(self) -> None:
        """Look at the next occasion."""
        self.next_look = 0.0

    def look(self, every_s: float) -> bool:
        """Read the state if it is time to; gives whether it was."""
        now = time.monotonic()
        self.next_look = min(self.next_look, now + every_s)
        if now < self.next_look:
            return False
        self.next_look = now + every_s
        try:
            changed_ns: int | None = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            self.state, changed_ns = None, None
        except OSError:
            return True
        if changed_ns is not None and changed_ns != self._changed_ns:
            self._pulse = now
            self._changed_ns = changed_ns
            self.state = read_state(self._folder) or self.state
        return True

    def refusal(self) -> KandongError | None:
        """Give why no request can be taken now or soon; ``None`` if one only has to wait."""
        state = self.state
        if state is None or state.state == "stopped" or time.monotonic() - self._pulse > PULSE_WITHIN_S:
            return EngineUnavailableError("The engine does not run.", hint="Start it, then send the request again.")
        if state.error is not None and state.state == "failed":
            return error_from_plain(state.error)
        if state.state == "unavailable":
            seconds = max(1.0, (state.retry_at_s or time.time()) - time.time())
            return EngineUnavailableError(
                "The engine died too often and rests.", hint=f"Try again in {seconds:.0f} seconds."
            )
        return None
