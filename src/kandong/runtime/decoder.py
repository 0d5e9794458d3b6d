"""Decoding pictures from strangers in processes that may do nothing else.

Owns: the processes, what they may take of time and memory, and turning their deaths into errors of ours.
Must not know: picture formats. Thread-safe.

A child lives for many pictures, as starting one costs 0.3 s. It is ended after ``recycle_after`` of them, when it takes
too long, and when it says what it should not; the next picture gets a new one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from kandong.errors import (
    KandongError,
    PictureDamagedError,
    PictureError,
    PictureFormatError,
    PictureLimitError,
    QueueFullError,
)
from kandong.types import Picture

_COMMAND: Final = (sys.executable, "-m", "kandong.reading.decode_child")
MAX_FILE_BYTES: Final = 32 * 1024 * 1024  # what the child itself takes
_KINDS: Final[dict[str, type[PictureError]]] = {
    kind.code: kind for kind in (PictureError, PictureFormatError, PictureDamagedError, PictureLimitError)
}
_MAX_HEADER_BYTES: Final = 16_384
_CHUNK_BYTES: Final = 2**20
_Side = Annotated[int, msgspec.Meta(ge=1, le=30_000)]
_Name = Annotated[str, msgspec.Meta(max_length=40)]


class _Decoded(msgspec.Struct, forbid_unknown_fields=True):
    height_px: _Side
    width_px: _Side
    format: _Name
    num_frames: Annotated[int, msgspec.Meta(ge=1)]
    conversions: Annotated[list[_Name], msgspec.Meta(max_length=16)]


class _Refused(msgspec.Struct):
    code: _Name
    message: Annotated[str, msgspec.Meta(max_length=500)]
    hint: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    picture: _Decoded | None = None
    error: _Refused | None = None
    limits: list[_Name] | None = None


@dataclass(frozen=True)
class DecoderOptions:
    """Bounds. ``wall_s`` is for one picture, ``queue_s`` for waiting until a child is free."""

    num_children: int = 2
    recycle_after: int = 200
    wall_s: float = 10.0
    queue_s: float = 30.0
    start_s: float = 30.0
    max_pixels: int = 40_000_000
    max_bytes: int = MAX_FILE_BYTES
    command: tuple[str, ...] = _COMMAND


class SafeDecoder:
    """Decodes pictures elsewhere. ``close`` it."""

    def __init__(self, options: DecoderOptions | None = None) -> None:
        """Nothing is started before the first picture."""
        self._options = options or DecoderOptions()
        self._free = threading.Semaphore(self._options.num_children)
        self._idle: list[_Child] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self.num_started = 0

    def decode(self, data: bytes, *, field: str = "picture") -> Picture:
        """Decode as ``kandong.reading.images.decode_picture`` does, whatever the bytes do to who decodes them.

        ``field`` is what errors say was wrong. Errors: ``PictureError`` (also if the child died of it or took too
        long); ``QueueFullError`` if none is free in time; ``KandongError`` if none can be started.
        """
        if len(data) > self._options.max_bytes:
            message = f"the file has {len(data)} bytes; at most {self._options.max_bytes} are allowed"
            raise PictureLimitError(message, hint="Make the picture smaller and send it again.", field=field)
        if not self._free.acquire(timeout=self._options.queue_s):
            raise QueueFullError("Too many pictures wait to be decoded.", hint="Try again in a moment.")
        try:
            child = self._take()
            try:
                picture = child.decode(data)
            finally:
                self._give_back(child)
        finally:
            self._free.release()
        if isinstance(picture, PictureError):
            picture.field = field
            raise picture
        return picture

    def process_ids(self) -> list[int]:
        """Give the processes that wait for a picture."""
        with self._lock:
            return [child.process.pid for child in self._idle]

    def close(self) -> None:
        """End all children. Idempotent."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def __enter__(self) -> SafeDecoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self) -> _Child:
        with self._lock:
            if self._is_closed:
                raise KandongError("This decoder is closed.")
            while self._idle:
                child = self._idle.pop()
                if child.process.poll() is None:
                    return child
                child.end()
            self.num_started += 1
        return _Child(self._options)

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            if child.is_usable and child.num_decoded < self._options.recycle_after and not self._is_closed:
                self._idle.append(child)
                return
        child.end()


class _Child:
    """One process, used by one thread at a time."""

    def __init__(self, options: DecoderOptions) -> None:
        self._options = options
        self.num_decoded = 0
        self.is_usable = True
        # One thread for linear algebra: others would only reserve address space, which is limited.
        quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            options.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | quiet,
            bufsize=0,
        )
        with self._within(options.start_s):
            header = self._read_header()
        if header is None or header.limits is None:
            self.end()
            raise KandongError("The process that decodes pictures cannot be started.", hint="Run `kandong doctor`.")
        self.limits = tuple(header.limits)

    def decode(self, data: bytes) -> Picture | PictureError:
        """Give the picture, or what is wrong with it; after a fault of the child ``is_usable`` is False."""
        self.num_decoded += 1
        started = time.monotonic()
        result: Picture | PictureError | None = None
        with self._within(self._options.wall_s):
            if self._write(len(data).to_bytes(8, "big")) and self._write(data):
                result = self._read_result()
        if result is not None:
            return result
        self.is_usable = False
        if time.monotonic() - started >= self._options.wall_s or self._is_out_of_time():
            return PictureLimitError("the picture takes too long to decode", hint="Save it anew in a picture program.")
        return PictureDamagedError("the picture cannot be decoded safely", hint="Save it anew in a picture program.")

    def end(self) -> None:
        """End the process at once, and wait for that."""
        self.is_usable = False
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _is_out_of_time(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(1.0) == -24  # SIGXCPU
        return False

    def _within(self, seconds: float) -> _Watch:
        return _Watch(self.process, seconds)

    def _read_result(self) -> Picture | PictureError | None:
        header = self._read_header()
        if header is None:
            return None
        if header.error is not None:
            return _error_of(header.error)
        if (found := header.picture) is None or found.height_px * found.width_px > self._options.max_pixels:
            return None
        rgb = np.empty((found.height_px, found.width_px, 3), np.uint8)
        if not self._read_into(rgb.data.cast("B")):
            return None
        rgb.setflags(write=False)
        return Picture(rgb, found.format, found.num_frames, tuple(found.conversions))

    def _read_header(self) -> _Header | None:
        head = bytearray(4)
        if not self._read_into(memoryview(head)):
            return None
        num_bytes = int.from_bytes(head, "big")
        if num_bytes > _MAX_HEADER_BYTES:
            return None
        body = bytearray(num_bytes)
        if not self._read_into(memoryview(body)):
            return None
        try:
            return msgspec.json.decode(body, type=_Header)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _read_into(self, target: memoryview) -> bool:
        assert self.process.stdout is not None
        done = 0
        try:
            while done < len(target):
                piece: Any = self.process.stdout.read(min(_CHUNK_BYTES, len(target) - done))
                if not piece:
                    return False
                target[done : done + len(piece)] = piece
                done += len(piece)
        except (OSError, ValueError):
            return False
        return True

    def _write(self, data: bytes) -> bool:
        assert self.process.stdin is not None
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self.process.stdin.write(rest) :]
        except (OSError, ValueError):
            return False
        return True


class _Watch:
    """Kills a process that is not done in time: then its pipes end, and who waits at them goes on."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._timer = threading.Timer(seconds, process.kill)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _error_of(told: _Refused) -> PictureError:
    if told.code == "out_of_memory":
        message = "the picture needs too much memory to decode"
        return PictureLimitError(message, hint="Make the picture smaller and send it again.")
    return _KINDS.get(told.code, PictureDamagedError)(told.message, hint=told.hint)
