"""Waking a thread that waits for sockets, from any other thread or from a signal handler.

Owns: a pair of connected sockets. Must not know: what there is to do once awake.
"""

from __future__ import annotations

import contextlib
import socket


class Waker:
    """``wake`` makes ``fileno()`` readable until ``drain``; waking twice is as good as once."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """Give what a poller waits for."""
        return self._reader.fileno()

    def wake(self) -> None:
        """Wake the waiting thread; never blocks."""
        # A full buffer has woken it already; a closed one has nobody to wake.
        with contextlib.suppress(BlockingIOError, OSError):
            self._writer.send(b"\0")

    def drain(self) -> None:
        """Take all wake-ups so far."""
        with contextlib.suppress(BlockingIOError, OSError):
            while self._reader.recv(4096):
                pass

    def close(self) -> None:
        """Give the sockets back."""
        self._reader.close()
        self._writer.close()
