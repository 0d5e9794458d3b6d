"""A database and a folder of pictures of its own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from kandong.store.database import Database
from kandong.store.files import Files
from kandong.store.media import MediaFolder
from kandong.types import Picture


def noise(seed: int = 0, height_px: int = 40, width_px: int = 60) -> Picture:
    """Make a picture of noise."""
    rgb = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8)
    return Picture(rgb, "PNG")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "data" / "kandong.db")
    yield opened
    opened.close()


@pytest.fixture
def media(tmp_path: Path, database: Database) -> MediaFolder:
    return MediaFolder(tmp_path / "data" / "media", database)


@pytest.fixture
def files(database: Database, media: MediaFolder) -> Files:
    return Files(database, media)


@pytest.fixture
def stored_paths(tmp_path: Path) -> Callable[[], list[str]]:
    return lambda: sorted(path.name for path in (tmp_path / "data" / "media").rglob("*") if path.is_file())
