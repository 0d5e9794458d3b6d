"""A picture is read once: by one of many who ask, and not again after a restart."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kandong.errors import PoisonRequestError
from kandong.reading.images import load_picture
from kandong.reading.reader import read_picture
from kandong.reading.report import ImageReading
from kandong.runtime.reading_child import WITHIN_S, ReadingChild
from kandong.server.readings import Readings
from kandong.store.database import Database
from kandong.store.readings import KeptReadings
from kandong.types import Picture

POSTER = Path(__file__).resolve().parents[2] / "samples" / "poster.png"


class CountingReader(ReadingChild):
    """Reads in this process, counts, and fails for pictures of one pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.num_read = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def read(self, picture: Picture, within_s: float = WITHIN_S) -> ImageReading:
        self.may_go_on.wait(within_s)
        self.num_read += 1
        if picture.width_px == 1:
            raise PoisonRequestError("Reading this picture failed twice.")
        return read_picture(picture)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "kandong.db")
    yield opened
    opened.close()


def test_many_who_ask_at_once_share_one_reading(database: Database) -> None:
    child = CountingReader()
    child.may_go_on.clear()
    readings = Readings(KeptReadings(database), child)
    picture = load_picture(POSTER)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(readings.read, picture) for _ in range(8)]
        child.may_go_on.set()
        found = [future.result(60) for future in asked]
    assert child.num_read == 1
    assert all(reading == read_picture(picture) for reading in found)
    assert readings.num_misses == 1


def test_after_a_restart_it_comes_from_the_disk_equal_in_every_field(database: Database) -> None:
    picture = load_picture(POSTER)
    first = Readings(KeptReadings(database), CountingReader()).read(picture)
    child = CountingReader()
    assert Readings(KeptReadings(database), child).read(picture) == first
    assert child.num_read == 0


def test_damaged_rows_are_read_again(database: Database) -> None:
    picture = load_picture(POSTER)
    first = Readings(KeptReadings(database), CountingReader()).read(picture)
    for damage in (b"", b"\x00" * 100, None):
        if damage is None:
            database.change("UPDATE readings SET data = substr(data, 1, 300)")
        else:
            database.change("UPDATE readings SET data = ?", (damage,))
        child = CountingReader()
        assert Readings(KeptReadings(database), child).read(picture) == first
        assert child.num_read == 1


def test_one_that_cannot_be_read_fails_for_all_who_wait_and_is_tried_again(database: Database) -> None:
    child = CountingReader()
    readings = Readings(KeptReadings(database), child)
    dot = Picture(np.zeros((1, 1, 3), np.uint8), format="png")
    for _ in range(2):
        with pytest.raises(PoisonRequestError):
            readings.read(dot)
    assert child.num_read == 2


def test_the_longest_unused_go(database: Database) -> None:
    kept = KeptReadings(database, max_kept=3)
    for number in range(402):
        kept.put(f"{number:064d}", "pipeline", b"reading")
    assert database.row("SELECT count(*) FROM readings") == (4,)
    assert kept.get(f"{401:064d}", "pipeline") == b"reading"
    assert kept.get(f"{0:064d}", "pipeline") is None
    assert kept.get(f"{401:064d}", "another") is None
