"""Reading in a process of its own gives what reading here gives, and outlives whatever happens to that process."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kandong.errors import DeadlineExceededError, EngineLostError, KandongError
from kandong.reading.images import load_picture
from kandong.reading.reader import read_picture
from kandong.runtime.piped_child import PipedChild
from kandong.runtime.reading_child import ReadingChild
from kandong.types import Picture

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def child() -> Iterator[ReadingChild]:
    """One process for these tests."""
    made = ReadingChild()
    yield made
    made.close()


@pytest.mark.parametrize("name", ["poster.png", "card.png"])
def test_gives_what_reading_here_gives(child: ReadingChild, name: str) -> None:
    picture = load_picture(ROOT / "samples" / name)
    assert child.read(picture) == read_picture(picture)


def test_a_blank_picture_has_no_lines(child: ReadingChild) -> None:
    assert child.read(Picture(np.full((64, 64, 3), 255, np.uint8), format="png")).lines == ()


def test_a_killed_process_is_replaced_and_the_picture_read_all_the_same(child: ReadingChild) -> None:
    picture = load_picture(ROOT / "samples" / "card.png")
    child.read(picture)
    before = child.process_id
    assert before is not None
    fresh = Picture(np.flip(picture.rgb, axis=1).copy(), format="png")
    killer = threading.Timer(0.05, os.kill, (before, signal.SIGKILL))
    killer.start()
    assert child.read(fresh).sha256 == fresh.digest
    killer.join()
    time.sleep(0.1)
    assert child.read(picture).lines
    assert child.process_id != before


def test_what_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    sleeper = PipedChild("sleeper")
    start = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        sleeper.call([b"x"], within_s=0.3)
    assert time.monotonic() - start < 5
    sleeper.close()
    with pytest.raises(KandongError, match="closed"):
        sleeper.call([b"x"], within_s=0.3)


def test_a_process_that_writes_nonsense_is_an_error_not_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "babbler.py").write_text("import sys\nsys.stdout.buffer.write(b'\\xff' * 64)\nsys.stdout.flush()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    babbler = PipedChild("babbler")
    with pytest.raises(EngineLostError):
        babbler.call([b"x"], within_s=10)
    babbler.close()
