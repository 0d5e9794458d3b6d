"""Deaths in the middle: kill -9 at random moments, and disks that are full."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from kandong.errors import StorageError
from kandong.store.conversations import Conversations
from kandong.store.database import Database
from kandong.store.files import Files
from kandong.store.generations import StoredGenerations
from kandong.store.media import MediaFolder
from kandong.store.messages import Messages
from tests.repetitions import repetitions
from tests.store.conftest import noise

ROOT = Path(__file__).resolve().parents[2]
NUM_KILLS = int(os.environ.get("KANDONG_TEST_KILLS", repetitions(50, 500)))


def check(folder: Path, acknowledged: list[str]) -> None:
    """Find everything that was acknowledged, in a database that is whole."""
    database = Database(folder / "kandong.db")
    assert database.rows("PRAGMA integrity_check") == [("ok",)]
    assert database.rows("PRAGMA foreign_key_check") == []
    database.change("INSERT INTO message_words (message_words) VALUES ('integrity-check')")
    files = Files(database, MediaFolder(folder / "media", database))
    files.media.sweep()
    StoredGenerations(database).interrupt_all()
    conversations, messages = Conversations(database, files), Messages(database, files)
    for line in acknowledged:
        kind, name, thing, *text = line.split(" ")
        if kind == "file":
            assert files.picture("a", name).digest == thing
            continue
        found = {message.id: message for message in messages.of(conversations.get("a", name))}
        assert found[thing].text == text[0]
        assert found[thing].status == "complete"
    named = {sha for (sha,) in database.rows("SELECT sha FROM media")}
    on_disk = {path.stem for path in (folder / "media").rglob("*.png")}
    assert on_disk == named
    database.close()


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signals")
def test_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.store.committer", str(tmp_path), str(NUM_KILLS)]
    said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    acknowledged = said.splitlines()
    assert len(acknowledged) >= NUM_KILLS  # they did get somewhere before they died
    assert sum(line.startswith("answered") for line in acknowledged) >= NUM_KILLS // 10
    check(tmp_path, acknowledged)


@contextlib.contextmanager
def tiny_disk(folder: Path, num_bytes: int) -> Iterator[Path]:
    """Mount a file system of a few megabytes; skips where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={num_bytes}", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs a file system of its own, which only root may mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def until_full(add: Callable[[int], str]) -> list[str]:
    added: list[str] = []
    with pytest.raises(StorageError, match="disk is full"):
        added.extend(add(i) for i in range(1000))
    return added


def test_full_disk_is_told_loses_nothing_and_is_over_when_there_is_room(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", 3 * 2**20) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(2**20))
        database = Database(disk / "data" / "kandong.db")
        files = Files(database, MediaFolder(disk / "data" / "media", database))
        conversations, messages = Conversations(database, files), Messages(database, files)
        kept = until_full(lambda i: files.add("a", noise(i, 100, 100), filename="x", num_bytes=1).id)
        said = until_full(lambda i: conversations.create("a", f"{i}", {"system": "字" * 5000}).id)
        for name in kept:
            assert files.picture("a", name).height_px == 100
        assert [conversations.get("a", name).id for name in said] == said
        assert database.rows("PRAGMA integrity_check") == [("ok",)]
        ballast.unlink()
        messages.ask("a", conversations.get("a", said[0]), "geht wieder", [kept[0]])
        files.add("a", noise(500, 100, 100), filename="x", num_bytes=1)
        files.media.sweep()
        database.close()
        check(disk / "data", [])


BASE = apsw.vfs_names()[0]


class _FailingFile(apsw.VFSFile):
    is_full = False

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        if _FailingFile.is_full:
            raise apsw.FullError("full")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        if _FailingFile.is_full:
            raise apsw.IOError("fsync")
        super().xSync(flags)


class _FailingVfs(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("failing", BASE, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> _FailingFile:  # noqa: N802 - apsw's name
        return _FailingFile(BASE, name, flags)


def test_disk_that_refuses_every_write_is_told_and_recovers(tmp_path: Path) -> None:
    vfs = _FailingVfs()
    try:
        database = Database(tmp_path / "kandong.db")
        files = Files(database, MediaFolder(tmp_path / "media", database))
        conversations = Conversations(database, files)
        first = conversations.create("a", "vorher")
        _FailingFile.is_full = True
        for change in (
            lambda: conversations.create("a", "x"),
            lambda: conversations.change("a", first.id, title="x"),
            lambda: files.add("a", noise(), filename="x", num_bytes=1),
        ):
            with pytest.raises(StorageError) as caught:
                change()
            assert caught.value.http_status == 507
            assert str(tmp_path) not in caught.value.message
        assert [listed.title for listed in conversations.page("a")[0]] == ["vorher"]
        assert not [path for path in (tmp_path / "media").rglob("*") if path.is_file()]
        _FailingFile.is_full = False
        assert conversations.change("a", first.id, title="nachher").title == "nachher"
        files.add("a", noise(), filename="x", num_bytes=1)
        assert database.rows("PRAGMA integrity_check") == [("ok",)]
        database.close()
    finally:
        _FailingFile.is_full = False
        apsw.set_default_vfs(BASE)
        vfs.unregister()
