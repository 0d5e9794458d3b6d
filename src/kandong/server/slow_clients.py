"""Clients that send their request too slowly.

Owns: who is being read from since when, and ending it. Must not know: web servers, what is sent. Thread-safe.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time


class SlowReaders:
    """Sockets whose request has not come whole yet. Only its receiving side is ended: an answer can still be sent."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._since: dict[int, tuple[float, socket.socket]] = {}
        self._stopped: set[int] = set()
        self._lock = threading.Lock()

    def begin(self, connection: socket.socket) -> None:
        """A request begins on this connection."""
        with self._lock:
            self._since[id(connection)] = (time.monotonic(), connection)

    def end(self, connection: socket.socket | None) -> bool:
        """The request is there, or nobody wants it any more; whether it was stopped for being too slow."""
        with self._lock:
            self._since.pop(id(connection), None)
            was_stopped = id(connection) in self._stopped
            self._stopped.discard(id(connection))
            return was_stopped

    def stop_slow(self) -> int:
        """Stop reading from those that took too long; gives how many."""
        oldest = time.monotonic() - self.timeout_s
        with self._lock:
            slow = [key for key, (since, _) in self._since.items() if since < oldest]
            connections = [self._since.pop(key)[1] for key in slow]
            self._stopped |= set(slow)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        return len(connections)


READERS = SlowReaders(30.0)
