"""What is written in a picture, for every handler that asks: read once, whoever asks and however many at once.

Owns: the order memory, disk, reading process; who waits for whom; how many may wait. Must not know: HTTP, what a
reading is used for.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any

import msgspec

from kandong.errors import InputError, KandongError, QueueFullError, StorageError
from kandong.reading.reader import pipeline_digest
from kandong.reading.report import ImageReading
from kandong.runtime.reading_child import WITHIN_S, ReadingChild
from kandong.runtime.wire import reading_from_wire, to_plain
from kandong.store.readings import KeptReadings
from kandong.typed_values import from_msgpack
from kandong.types import Picture

_KEPT_IN_MEMORY = 128
MAX_WAITING = 64
_MAX_AHEAD = 8
_PREDICTED_S = 1


class Readings:
    """Thread-safe."""

    def __init__(self, kept: KeptReadings, child: ReadingChild | None = None) -> None:
        """``child`` does the reading, and is then its giver's to close; its process starts with the first picture."""
        self._kept = kept
        self._is_mine = child is None
        self._child = child or ReadingChild()
        self._pipeline = pipeline_digest()
        self._lock = threading.Lock()
        self._memory: OrderedDict[str, ImageReading] = OrderedDict()
        self._under_way: dict[str, Future[ImageReading]] = {}
        self.num_hits = 0
        self.num_misses = 0

    def read(self, picture: Picture) -> ImageReading:
        """Give what is written in a picture; waits for it to be read.

        Errors: ``QueueFullError`` if too many pictures wait; those of ``ReadingChild.read``.
        """
        with self._lock:
            if (known := self._memory.get(picture.digest)) is not None:
                self._memory.move_to_end(picture.digest)
                self.num_hits += 1
                return known
            waiting_for = self._under_way.get(picture.digest)
            if waiting_for is None:
                if len(self._under_way) >= MAX_WAITING:
                    raise QueueFullError(
                        f"{MAX_WAITING} pictures wait to be read.",
                        hint="Try again in a moment.",
                        retry_after_s=len(self._under_way) * _PREDICTED_S,
                    )
                mine: Future[ImageReading] = Future()
                self._under_way[picture.digest] = mine
        if waiting_for is not None:
            return waiting_for.result(timeout=MAX_WAITING * WITHIN_S)
        return self._find_or_read(picture, mine)

    def begin(self, picture: Picture) -> None:
        """Read a picture that will probably be asked about; whoever asks meanwhile waits for this one.

        With much to do it is left out, and no failure is told: who asks hears it.
        """
        if len(self._under_way) <= _MAX_AHEAD:
            threading.Thread(target=self._try, args=(picture,), name="reading-ahead", daemon=True).start()

    def _try(self, picture: Picture) -> None:
        with contextlib.suppress(KandongError):
            self.read(picture)

    def close(self) -> None:
        """End the reading process. Idempotent."""
        if self._is_mine:
            self._child.close()

    def _find_or_read(self, picture: Picture, mine: Future[ImageReading]) -> ImageReading:
        try:
            reading = self._on_disk(picture.digest)
            if reading is None:
                reading = self._child.read(picture)
                self._keep_on_disk(picture.digest, reading)
                self.num_misses += 1
            else:
                self.num_hits += 1
        except BaseException as error:
            told = error if isinstance(error, KandongError) else KandongError("Reading a picture failed.")
            self._settle(picture.digest, None)
            mine.set_exception(told)
            raise
        self._settle(picture.digest, reading)
        mine.set_result(reading)
        return reading

    def _settle(self, digest: str, reading: ImageReading | None) -> None:
        with self._lock:
            del self._under_way[digest]
            if reading is not None:
                self._memory[digest] = reading
                while len(self._memory) > _KEPT_IN_MEMORY:
                    self._memory.popitem(last=False)

    def _on_disk(self, digest: str) -> ImageReading | None:
        # Whatever is wrong with what was kept, reading again puts it right.
        with contextlib.suppress(StorageError, InputError, msgspec.DecodeError):
            data = self._kept.get(digest, self._pipeline)
            if data is not None:
                return reading_from_wire(from_msgpack(data, Any))
        return None

    def _keep_on_disk(self, digest: str, reading: ImageReading) -> None:
        with contextlib.suppress(StorageError):  # a full disk is no reason to refuse what was just read
            self._kept.put(digest, self._pipeline, msgspec.msgpack.encode(to_plain(reading)))
