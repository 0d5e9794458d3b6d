"""Pictures as files named by their content, each kept once however many rows name it.

Owns: the folder, the stored form (the decoded pixels as PNG, never the uploaded bytes, and a small JPEG), which of them
are still named, the quota. Must not know: who owns what, where pictures come from.

A picture is on the disk, wholly and flushed, before a row names it, and a row is gone before its file is; what a crash
leaves between the two is swept up at the next start.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from kandong.errors import StorageError
from kandong.store.database import Database
from kandong.types import Picture

THUMB_PX = 320
DEFAULT_QUOTA_BYTES = 20 * 2**30
_KEPT_PIXEL_BYTES = 128 * 2**20
_NAME = re.compile(r"[0-9a-f]{64}\.(png|jpg)")
_PART = ".part"
_T = TypeVar("_T")


class MediaFolder:
    """Thread-safe. One process may use a folder at a time."""

    def __init__(self, folder: Path, database: Database, quota_bytes: int = DEFAULT_QUOTA_BYTES) -> None:
        """Open or make the folder, readable by this user alone. Errors: ``StorageError``."""
        self._folder = folder
        self._database = database
        self._quota_bytes = quota_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._kept_lock = threading.Lock()
        with _told():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, picture: Picture, record: Callable[[str], _T]) -> _T:
        """Store a picture and run ``record`` with its SHA-256 in the transaction that counts it in.

        Errors: ``StorageError`` if the quota or the disk is full; then nothing has changed. Those of ``record``.
        """
        sha = picture.digest
        whole = None if self._is_there(sha) else _encode(picture)
        small = None if whole is None else _encode_small(picture)
        with self._lock:
            if not self._is_there(sha):
                whole, small = whole or _encode(picture), small or _encode_small(picture)
                self._check_quota(len(whole) + len(small))
                self._write(sha, whole, small)
            try:
                result = self._count_in(sha, picture, record)
            except BaseException:
                if self._database.row("SELECT 1 FROM media WHERE sha = ?", (sha,)) is None:
                    self._remove(sha)
                raise
        self._remember(sha, picture)
        return result

    def _count_in(self, sha: str, picture: Picture, record: Callable[[str], _T]) -> _T:
        with self._database.transaction() as database:
            num_bytes = sum(self._path(sha, suffix).stat().st_size for suffix in ("png", "jpg"))
            database.change(
                "INSERT OR IGNORE INTO media (sha, width_px, height_px, num_bytes, created_s) VALUES (?, ?, ?, ?, ?)",
                (sha, picture.width_px, picture.height_px, num_bytes, time.time()),
            )
            return record(sha)

    def picture(self, sha: str) -> Picture:
        """Give the pixels, compared with their name. Errors: ``StorageError`` if they are lost or damaged."""
        with self._kept_lock:
            if (kept := self._kept.get(sha)) is not None:
                self._kept.move_to_end(sha)
                return kept
        try:
            with Image.open(self._path(sha, "png"), formats=["PNG"]) as image:
                rgb = np.array(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError):
            raise _lost() from None
        rgb.setflags(write=False)
        picture = Picture(rgb=rgb, format="PNG")
        if picture.digest != sha:
            raise _lost()
        self._remember(sha, picture)
        return picture

    def encoded(self, sha: str, *, is_small: bool = False) -> Path:
        """Give the file of the stored PNG, or of the JPEG of at most 320 px. Errors: ``StorageError`` if it is lost."""
        path = self._path(sha, "jpg" if is_small else "png")
        if not path.is_file():
            raise _lost()
        return path

    def num_bytes(self) -> int:
        """Give what all stored pictures take on the disk."""
        row = self._database.row("SELECT coalesce(sum(num_bytes), 0) FROM media")
        return int(row[0]) if row else 0

    def drop_unused(self) -> int:
        """Remove every picture that no file names, and give how many those were."""
        with self._lock:
            unused = "NOT EXISTS (SELECT 1 FROM files WHERE files.sha = media.sha)"
            with self._database.transaction() as database:
                shas = [sha for (sha,) in database.rows(f"SELECT sha FROM media WHERE {unused}")]
                database.change(f"DELETE FROM media WHERE {unused}")
            for sha in shas:
                self._forget(sha)
                self._remove(sha)
        return len(shas)

    def sweep(self) -> int:
        """Remove files that no row knows, as a crash leaves them, and give how many those were."""
        num_removed = 0
        with self._lock:
            known = {sha for (sha,) in self._database.rows("SELECT sha FROM media")}
            for path in self._folder.glob("??/*"):
                is_ours = _NAME.fullmatch(path.name) and path.name[:64] in known
                if not is_ours:
                    with contextlib.suppress(OSError):
                        path.unlink()
                        num_removed += 1
        return num_removed

    def _path(self, sha: str, suffix: str) -> Path:
        return self._folder / sha[:2] / f"{sha}.{suffix}"

    def _is_there(self, sha: str) -> bool:
        return self._path(sha, "png").is_file() and self._path(sha, "jpg").is_file()

    def _check_quota(self, num_new_bytes: int) -> None:
        if self.num_bytes() + num_new_bytes > self._quota_bytes:
            raise StorageError(
                f"The pictures kept here have reached their limit of {self._quota_bytes // 2**20} MiB.",
                hint="Delete files or conversations that are no longer needed, or raise max_media_bytes.",
            )

    def _write(self, sha: str, whole: bytes, small: bytes) -> None:
        with _told():
            folder = self._folder / sha[:2]
            folder.mkdir(exist_ok=True, mode=0o700)
            for suffix, data in (("jpg", small), ("png", whole)):
                path = self._path(sha, suffix)
                part = path.with_name(path.name + _PART)
                try:
                    _write_flushed(part, data)
                    part.replace(path)
                except OSError:
                    part.unlink(missing_ok=True)
                    raise
            _flush_folder(folder)

    def _remove(self, sha: str) -> None:
        for suffix in ("png", "jpg"):
            with contextlib.suppress(OSError):  # the sweep of the next start finds it again
                self._path(sha, suffix).unlink(missing_ok=True)

    def _remember(self, sha: str, picture: Picture) -> None:
        with self._kept_lock:
            self._kept[sha] = picture
            self._kept.move_to_end(sha)
            while sum(kept.rgb.nbytes for kept in self._kept.values()) > _KEPT_PIXEL_BYTES:
                self._kept.popitem(last=False)

    def _forget(self, sha: str) -> None:
        with self._kept_lock:
            self._kept.pop(sha, None)


def _encode(picture: Picture) -> bytes:
    out = io.BytesIO()
    # Higher levels save a tenth of the room and take three times as long.
    Image.fromarray(np.asarray(picture.rgb)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _encode_small(picture: Picture) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(np.asarray(picture.rgb))
    image.thumbnail((THUMB_PX, THUMB_PX), reducing_gap=2.0)
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


def _write_flushed(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make names in a folder outlive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lost() -> StorageError:
    return StorageError(
        "A stored picture is missing or damaged.", hint="Upload it again; `kandong doctor` looks at the disk."
    )


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StorageError(
            "The disk is full." if is_full else f"A picture cannot be stored ({type(error).__name__}).",
            hint="Make room; nothing that was saved is lost." if is_full else "Check the data folder's permissions.",
        ) from None
