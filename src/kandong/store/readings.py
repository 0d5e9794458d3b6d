"""Readings kept on the disk, so that a picture is read once and not once a start.

Owns: which are kept and which go. Must not know: what is in them.
"""

from __future__ import annotations

import time
import zlib

from kandong.store.database import Database

MAX_KEPT = 50_000
_DROP_EVERY = 200
_MAX_READING_BYTES = 64 * 2**20


class KeptReadings:
    """Thread-safe, as the database is. ``pipeline`` names all that determines a reading but the pixels."""

    def __init__(self, database: Database, max_kept: int = MAX_KEPT) -> None:
        self._database = database
        self._max_kept = max_kept
        self._num_put = 0

    def get(self, picture: str, pipeline: str) -> bytes | None:
        """Give a reading by its picture's digest. A damaged one counts as absent. Errors: ``StorageError``."""
        row = self._database.row("SELECT data FROM readings WHERE picture = ? AND pipeline = ?", (picture, pipeline))
        if row is None:
            return None
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(row[0], _MAX_READING_BYTES)
        except zlib.error:
            return None
        if not unpacker.eof:
            return None
        self._database.change(
            "UPDATE readings SET used_s = ? WHERE picture = ? AND pipeline = ?", (time.time(), picture, pipeline)
        )
        return data

    def put(self, picture: str, pipeline: str, data: bytes) -> None:
        """Keep a reading; now and then those used longest ago go. Errors: ``StorageError``."""
        self._database.change(
            "INSERT OR REPLACE INTO readings (picture, pipeline, data, used_s) VALUES (?, ?, ?, ?)",
            (picture, pipeline, zlib.compress(data, 1), time.time()),
        )
        self._num_put += 1
        if self._num_put % _DROP_EVERY == 1:
            self._drop()

    def _drop(self) -> None:
        self._database.change(
            "DELETE FROM readings WHERE (picture, pipeline) IN ("
            " SELECT picture, pipeline FROM readings ORDER BY used_s DESC LIMIT -1 OFFSET ?)",
            (self._max_kept,),
        )
