"""Decoding pictures from strangers in processes that may do nothing else.

Owns: how many of them there are, and what becomes of a picture that one of them dies of. Must not know: picture
formats. Thread-safe.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
import numpy as np

from kandong.errors import (
    DeadlineExceededError,
    EngineLostError,
    PictureDamagedError,
    PictureError,
    PictureFormatError,
    PictureLimitError,
    QueueFullError,
)
from kandong.reading.picture_files.signatures import declared_size_px, detect_format
from kandong.runtime.piped_child import PipedChild
from kandong.typed_values import from_json
from kandong.types import Picture

MAX_FILE_BYTES: Final = 32 * 2**20  # what the child itself takes
_KINDS: Final[dict[str, type[PictureError]]] = {
    kind.code: kind for kind in (PictureError, PictureFormatError, PictureDamagedError, PictureLimitError)
}
_SAVE_ANEW: Final = "Save it anew in a picture program and send that."
_SMALLER: Final = "Make the picture smaller and send it again."
_MAX_HEADER_BYTES: Final = 16_384
_QUICK_DEATH_S: Final = 1.0
_LARGE_PIXELS: Final = 16_000_000  # they take up to 18 bytes each while they are decoded: one at a time
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


@dataclass(frozen=True)
class DecoderOptions:
    """Bounds. ``wall_s`` is for one picture, ``queue_s`` for waiting until a process is free.

    ``start_s`` is for a new process to begin, which takes 0.3 s, and many seconds on a machine with no time to spare.
    """

    num_children: int = 2
    recycle_after: int = 200
    wall_s: float = 10.0
    queue_s: float = 30.0
    start_s: float = 60.0
    max_bytes: int = MAX_FILE_BYTES
    module: str = "kandong.runtime.decoding_child"


class SafeDecoder:
    """Decodes pictures elsewhere. ``close`` it."""

    def __init__(self, options: DecoderOptions | None = None) -> None:
        """Nothing is started before the first picture."""
        self._options = options or DecoderOptions()
        self._children = [
            PipedChild(self._options.module, self._options.recycle_after, self._options.start_s)
            for _ in range(self._options.num_children)
        ]
        self._idle = list(self._children)
        self._free = threading.Semaphore(len(self._idle))
        self._large = threading.Semaphore(1)
        self._lock = threading.Lock()

    def decode(self, data: bytes, *, field: str = "picture") -> Picture:
        """Decode as ``kandong.reading.images.decode_picture`` does, whatever the bytes do to who decodes them.

        ``field`` is what errors say was wrong. Errors: ``PictureError`` (also if a process died of it or it took too
        long); ``QueueFullError`` if none is free in time; ``KandongError`` if this decoder is closed.
        """
        if len(data) > self._options.max_bytes:
            message = f"the file has {len(data)} bytes; at most {self._options.max_bytes} are allowed"
            raise PictureLimitError(message, hint=_SMALLER, field=field)
        with self._turn(*([self._large] if _is_large(data) else []), self._free):
            return self._decode(data, field)

    def _decode(self, data: bytes, field: str) -> Picture:
        with self._lock:
            child = self._idle.pop()  # the one used last: the other may never be needed
        try:
            frames = self._call(child, data)
        except DeadlineExceededError:
            hint = "Make it smaller, or try again when the machine has less to do."
            raise PictureLimitError("the picture takes too long to decode", hint=hint, field=field) from None
        except EngineLostError:
            message = "the picture cannot be decoded within the limits on time and memory"
            raise PictureDamagedError(message, hint=_SAVE_ANEW, field=field) from None
        finally:
            with self._lock:
                self._idle.append(child)
        result = _result_of(frames)
        if isinstance(result, PictureError):
            result.field = field
            raise result
        return result

    @contextmanager
    def _turn(self, *locks: threading.Semaphore) -> Iterator[None]:
        """Wait until these are free. Errors: ``QueueFullError``."""
        until = time.monotonic() + self._options.queue_s
        held: list[threading.Semaphore] = []
        try:
            for lock in locks:
                if not lock.acquire(timeout=max(0.0, until - time.monotonic())):
                    raise QueueFullError("Too many pictures wait to be decoded.", hint="Try again in a moment.")
                held.append(lock)
            yield
        finally:
            for lock in held:
                lock.release()

    def _call(self, child: PipedChild, data: bytes) -> list[bytes]:
        started = time.monotonic()
        try:
            return child.call([data], self._options.wall_s)
        except EngineLostError:
            if time.monotonic() - started > _QUICK_DEATH_S:
                raise
        # It may have been dead before, ended by the system for want of memory: then the picture is not to blame.
        return child.call([data], self._options.wall_s)

    def process_ids(self) -> list[int]:
        """Give the processes that there are now."""
        return [number for child in self._children if (number := child.process_id) is not None]

    def close(self) -> None:
        """End all processes. Idempotent."""
        for child in self._children:
            child.close()

    def __enter__(self) -> SafeDecoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_large(data: bytes) -> bool:
    """Whether a file says that it has many pixels, or does not say; what it says is only believed for taking turns."""
    try:
        size_px = declared_size_px(data, detect_format(data))
    except PictureError:
        return False
    return size_px is None or size_px[0] * size_px[1] > _LARGE_PIXELS


def _result_of(frames: list[bytes]) -> Picture | PictureError:
    """Read what a process answered; one that was taken over may say anything."""
    unusable = PictureDamagedError("the picture cannot be decoded safely", hint=_SAVE_ANEW)
    try:
        header = from_json(frames[0][:_MAX_HEADER_BYTES], _Header)
    except (msgspec.DecodeError, UnicodeDecodeError, IndexError):
        return unusable
    if header.error is not None:
        return _error_of(header.error)
    found = header.picture
    if found is None or len(frames) != 2 or len(frames[1]) != found.height_px * found.width_px * 3:
        return unusable
    rgb = np.frombuffer(frames[1], np.uint8).reshape(found.height_px, found.width_px, 3)
    return Picture(rgb, found.format, found.num_frames, tuple(found.conversions))


def _error_of(told: _Refused) -> PictureError:
    if told.code == "out_of_memory":
        return PictureLimitError("the picture needs too much memory to decode", hint=_SMALLER)
    return _KINDS.get(told.code, PictureDamagedError)(told.message, hint=told.hint)
