"""Reading pictures (OCR, codes) in a process of its own, so that what a picture does to native code stays there.

Owns: that process, both ends of it. Must not know: who wants a reading, where readings are kept.
It needs no model, so it works before weights are there; and it stands behind answers under way, which somebody watches.
"""

from __future__ import annotations

import contextlib
import os

import msgspec
import numpy as np

from kandong.errors import EngineLostError, KandongError, PoisonRequestError
from kandong.reading.report import ImageReading
from kandong.runtime.piped_child import PipedChild, serve_calls
from kandong.runtime.wire import error_from_plain, error_to_plain, reading_from_wire, to_plain
from kandong.typed_values import from_msgpack
from kandong.types import Picture

WITHIN_S = 120.0
_NICENESS = 5
_MAX_CALLS = 2_000
_TRIES = 2


class _Asked(msgspec.Struct, frozen=True):
    height_px: int
    width_px: int


class _Answered(msgspec.Struct, frozen=True):
    reading: dict[str, object] | None = None
    error: dict[str, object] | None = None


class ReadingChild:
    """Reads pictures as ``reading.reader.read_picture`` does. Thread-safe; one picture at a time."""

    def __init__(self) -> None:
        self._child = PipedChild(__name__, max_calls=_MAX_CALLS)

    def read(self, picture: Picture, within_s: float = WITHIN_S) -> ImageReading:
        """Read one picture.

        Errors: those of ``read_picture``; ``DeadlineExceededError``; ``PoisonRequestError`` if the process died of it
        twice.
        """
        head = msgspec.msgpack.encode(_Asked(picture.height_px, picture.width_px))
        pixels = np.ascontiguousarray(picture.rgb).data.cast("B")
        for _ in range(_TRIES):
            with contextlib.suppress(EngineLostError):
                return _reading_of(self._child.call([head, pixels], within_s))
        raise PoisonRequestError("Reading this picture failed twice.", hint="Convert the picture and try again.")

    @property
    def process_id(self) -> int | None:
        """The process's number while there is one."""
        return self._child.process_id

    def close(self) -> None:
        """End the process. Idempotent."""
        self._child.close()


def _reading_of(frames: list[bytes]) -> ImageReading:
    try:
        answered = from_msgpack(frames[0], _Answered)
    except (IndexError, ValueError):
        raise EngineLostError("The process that reads pictures gave no sensible answer.") from None
    if answered.error is not None:
        raise error_from_plain(answered.error)
    return reading_from_wire(answered.reading)


def _answer(frames: list[bytes]) -> list[bytes]:
    from kandong.reading.reader import read_picture

    asked = from_msgpack(frames[0], _Asked)
    rgb = np.frombuffer(frames[1], np.uint8).reshape(asked.height_px, asked.width_px, 3)
    try:
        answered = _Answered(reading=to_plain(read_picture(Picture(rgb, format="rgb"))))
    except KandongError as error:
        answered = _Answered(error=error_to_plain(error))
    return [msgspec.msgpack.encode(answered)]


def main() -> None:
    """Serve readings until the parent is gone."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    serve_calls(_answer)


if __name__ == "__main__":
    main()
