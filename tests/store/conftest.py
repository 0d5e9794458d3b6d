"""A database and a folder of pictures of its own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from kandong.store.conversations import Conversations
from kandong.store.database import Database
from kandong.store.files import Files
from kandong.store.generations import StoredGenerations
from kandong.store.media import MediaFolder
from kandong.store.messages import Messages, Turn
from kandong.types import Picture

Say = Callable[..., Turn]


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


@pytest.fixture
def conversations(database: Database, files: Files) -> Conversations:
    return Conversations(database, files)


@pytest.fixture
def messages(database: Database, files: Files) -> Messages:
    return Messages(database, files)


@pytest.fixture
def generations(database: Database) -> StoredGenerations:
    return StoredGenerations(database)


@pytest.fixture
def say(conversations: Conversations, messages: Messages, generations: StoredGenerations) -> Say:
    """Ask in a conversation and answer, as the service does."""

    def ask_and_answer(
        conversation_id: str,
        question: str,
        answer: str,
        *file_ids: str,
        owner: str = "a",
        replace_from: str | None = None,
    ) -> Turn:
        conversation = conversations.get(owner, conversation_id)
        turn = messages.ask(owner, conversation, question, file_ids, replace_from)
        generations.end(turn.generation_id, "complete", answer, {}, 1)
        return turn

    return ask_and_answer
