"""A database is brought from any schema that there ever was to the newest, by the numbers of the scripts' files."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from kandong.errors import StorageError
from kandong.store import database
from kandong.store.database import Database, migrations

SCHEMA = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name"


def test_numbers_leave_no_gap_and_are_given_once() -> None:
    folder = Path(database.__file__).parent / "migrations"
    assert sorted(migrations()) == list(range(1, len(list(folder.glob("*.sql"))) + 1))


@pytest.mark.parametrize("seen", range(len(migrations()) + 1))
def test_a_file_of_any_schema_becomes_one_of_the_newest(tmp_path: Path, seen: int) -> None:
    old = apsw.Connection(str(tmp_path / "old.db"))
    for number in range(1, seen + 1):
        old.execute(migrations()[number])
    old.pragma("user_version", seen)
    old.close()
    brought, fresh = Database(tmp_path / "old.db"), Database(tmp_path / "new.db")
    assert brought.rows(SCHEMA) == fresh.rows(SCHEMA)
    assert brought.row("PRAGMA user_version") == fresh.row("PRAGMA user_version") == (max(migrations()),)
    brought.close()
    fresh.close()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    newer = Database(tmp_path / "newer.db")
    newer.rows(f"PRAGMA user_version = {max(migrations()) + 1}")
    newer.close()
    with pytest.raises(StorageError, match=r"schema \d+") as caught:
        Database(tmp_path / "newer.db")
    assert "newer version" in (caught.value.hint or "")


def test_the_number_counts_and_not_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = migrations()
    Database(tmp_path / "kept.db").close()
    monkeypatch.setattr(database, "migrations", lambda: scripts | {9: "CREATE TABLE added (x INTEGER)"})
    brought = Database(tmp_path / "kept.db")
    assert brought.row("PRAGMA user_version") == (9,)
    assert brought.rows("SELECT * FROM added") == []
    brought.close()
