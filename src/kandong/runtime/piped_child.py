"""A child process that answers one call at a time over its own pipes: for native code on strangers' data.

Owns: the process, framing, the time a call may take, starting it again. Must not know: what is asked or answered.
Frames are bytes with their lengths in front: nothing that comes back is ever run, so a child that was taken over can
give a wrong answer, but no more.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import IO

from kandong.errors import DeadlineExceededError, EngineLostError, KandongError

Frame = bytes | bytearray | memoryview
MAX_FRAME_BYTES = 256 * 2**20
_MAX_FRAMES = 16
_HEAD = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")


class PipedChild:
    """Runs ``python -m module`` when first called, and again after it has died. Thread-safe; callers wait in line."""

    def __init__(self, module: str, max_calls: int | None = None, start_within_s: float | None = None) -> None:
        """``max_calls``: after so many calls a new process takes over, so that nothing piles up in one.

        With ``start_within_s`` a new process has that long to begin, before the time of its first call counts.
        """
        self._command = (sys.executable, "-m", module)
        self._max_calls = max_calls
        self._start_within_s = start_within_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._num_calls = 0
        self._is_closed = False

    def call(self, frames: Sequence[Frame], within_s: float) -> list[bytes]:
        """Send frames and give those that come back.

        Errors: ``EngineLostError`` if the process died of it; ``DeadlineExceededError`` if it was ended for taking
        longer than ``within_s``. The next call starts a new one.
        """
        with self._lock:
            process = self._running()
            self._num_calls += 1
            return self._exchange(process, frames, within_s)

    def _exchange(self, process: subprocess.Popen[bytes], frames: Sequence[Frame], within_s: float) -> list[bytes]:
        is_late = threading.Event()
        timer = threading.Timer(within_s, _end, (process, is_late))
        timer.daemon = True
        timer.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            write_frames(process.stdin, frames)
            return read_frames(process.stdout)
        except (OSError, EOFError, ValueError):
            self._stop()
            if is_late.is_set():
                raise DeadlineExceededError(
                    f"This took longer than {within_s:g} s.", hint="Try a smaller picture."
                ) from None
            raise EngineLostError("The process that does this has died.", hint="Try again.") from None
        finally:
            timer.cancel()

    @property
    def process_id(self) -> int | None:
        """The process's number while there is one."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def close(self) -> None:
        """End the process, after the call under way. Idempotent."""
        with self._lock:
            self._is_closed = True
            self._stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._is_closed:
            raise KandongError("This process was closed.")
        if self._max_calls is not None and self._num_calls >= self._max_calls:
            self._stop()
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True, bufsize=0
            )
            if self._start_within_s is not None:
                self._exchange(self._process, [], self._start_within_s)
        return self._process

    def _stop(self) -> None:
        process, self._process, self._num_calls = self._process, None, 0
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _end(process: subprocess.Popen[bytes], is_late: threading.Event) -> None:
    is_late.set()
    process.kill()


def write_frames(pipe: IO[bytes], frames: Sequence[Frame]) -> None:
    """Write frames whole. Errors: ``OSError`` if nobody reads."""
    pieces: list[Frame] = [_HEAD.pack(len(frames))]
    for frame in frames:
        pieces += [_LENGTH.pack(memoryview(frame).nbytes), frame]
    for piece in pieces:
        rest = memoryview(piece).cast("B")
        while rest:
            rest = rest[os.write(pipe.fileno(), rest) :]


def read_frames(pipe: IO[bytes]) -> list[bytes]:
    """Read what ``write_frames`` wrote. Errors: ``EOFError`` at the end, ``ValueError`` for lengths over the caps."""
    num_frames = int(_HEAD.unpack(_read_exactly(pipe, _HEAD.size))[0])
    if num_frames > _MAX_FRAMES:
        raise ValueError("too many frames")
    frames = []
    for _ in range(num_frames):
        num_bytes = int(_LENGTH.unpack(_read_exactly(pipe, _LENGTH.size))[0])
        if num_bytes > MAX_FRAME_BYTES:
            raise ValueError("a frame is too long")
        frames.append(_read_exactly(pipe, num_bytes))
    return frames


def _read_exactly(pipe: IO[bytes], num_bytes: int) -> bytes:
    data = bytearray(num_bytes)
    rest = memoryview(data)
    while rest:
        num_read = pipe.readinto(rest)  # type: ignore[attr-defined]
        if not num_read:
            raise EOFError
        rest = rest[num_read:]
    return bytes(data)


def serve_calls(answer: Callable[[list[bytes]], Sequence[Frame]]) -> None:
    """Answer calls in this process until the parent's end of the pipe is closed.

    What anything prints goes to stderr, so that it cannot get between the frames. A call without frames only asks
    whether this process has begun.
    """
    incoming = os.fdopen(os.dup(0), "rb", buffering=0)
    outgoing = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    while True:
        try:
            frames = read_frames(incoming)
            write_frames(outgoing, answer(frames) if frames else [])
        except (EOFError, BrokenPipeError):
            return
