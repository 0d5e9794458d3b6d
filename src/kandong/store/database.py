"""The one SQLite file of the service: its connection, its transactions, its migrations.

Owns: the connection and when it is written to. Must not know: what the tables mean.

One connection, one lock: SQLite has one writer anyway, and what is read here takes microseconds. WAL with
``synchronous=FULL``, so that what was acknowledged outlives a power cut (sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import apsw

from kandong.errors import StorageError

DATABASE_FILE = "kandong.db"
_BUSY_MS = 5_000


class Database:
    """Thread-safe. Rows come as tuples."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, readable by this user alone, and bring it to the newest schema.

        Errors: ``StorageError`` if it cannot be opened, is damaged, or was written by a newer version.
        """
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self._connection = apsw.Connection(str(path))
            self._connection.set_busy_timeout(_BUSY_MS)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
                self._connection.pragma(*pragma.split("="))
            self._migrate()
        except (apsw.Error, OSError) as error:
            raise StorageError(
                f"The database cannot be opened ({type(error).__name__}).",
                hint="Check that its folder can be written to and that the disk has room; `kandong doctor` looks too.",
            ) from None

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Give all rows of a query. Errors: ``StorageError``."""
        with self._lock, _told():
            return list(self._connection.execute(sql, values))

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Give the first row of a query, if there is one. Errors: ``StorageError``."""
        found = self.rows(sql, values)
        return found[0] if found else None

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement that changes rows, and give how many. Errors: ``StorageError``; then nothing changed."""
        with self._lock, _told():
            self._connection.execute(sql, values)
            return int(self._connection.changes())

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """Let several statements count together or not at all; may be nested."""
        with self._lock, _told(), self._connection:
            yield self

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            self._connection.close()

    def _migrate(self) -> None:
        """Run the numbered scripts that this file has not seen; its ``user_version`` says which it has."""
        scripts = migrations()
        version = int(self._connection.pragma("user_version"))
        if version > max(scripts):
            raise StorageError(
                f"The database is of schema {version}, this version of Kandong knows {max(scripts)}.",
                hint="Install the newer version again, or name another data folder.",
            )
        for number, script in sorted(scripts.items()):
            if number > version:
                with self._connection:
                    self._connection.execute(script)
                    self._connection.pragma("user_version", number)


def migrations() -> dict[int, str]:
    """Give the scripts by the number that begins their files' names."""
    folder = resources.files("kandong.store") / "migrations"
    names = [entry.name for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return {int(name.partition("_")[0]): (folder / name).read_text("utf-8") for name in names}


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except apsw.FullError:
        raise StorageError("The disk is full.", hint="Make room; nothing that was saved is lost.") from None
    except apsw.Error as error:
        raise StorageError(
            f"The database refused an operation ({type(error).__name__}).", hint="Try again; `kandong doctor` looks."
        ) from None
