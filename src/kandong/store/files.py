"""Files: pictures under the names and owners that they were uploaded with.

Owns: the rows, paging, and when a file is really gone. Must not know: HTTP, how pictures lie on the disk.

A deleted file is no longer listed and can no longer be asked about; while a conversation shows it, it can still be
seen there. When the last such conversation is gone for good, so are the row and the pixels.
"""

from __future__ import annotations

import re
import time
import unicodedata
from dataclasses import dataclass
from typing import Any, Final, Literal

from kandong.errors import InputError, NotFoundError
from kandong.store.database import Database
from kandong.store.ids import new_id
from kandong.store.media import MediaFolder
from kandong.types import Picture

PURPOSES: Final = ("vision", "user_data", "assistants")
MAX_PAGE: Final = 10_000
_MAX_NAME_CHARS: Final = 200
COLUMNS: Final = (
    "files.id, files.filename, files.purpose, files.sha, media.width_px, media.height_px, files.num_bytes, "
    "files.format, files.num_frames, files.created_s"
)
_FROM: Final = "FROM files JOIN media ON media.sha = files.sha"
_IS_SHOWN: Final = "EXISTS (SELECT 1 FROM message_files WHERE message_files.file = files.number)"


@dataclass(frozen=True)
class StoredFile:
    """One file. ``sha`` names its pixels (``Picture.digest``); ``num_bytes`` and ``format`` are of the upload."""

    id: str
    filename: str
    purpose: str
    sha: str
    width_px: int
    height_px: int
    num_bytes: int
    format: str
    num_frames: int
    created_s: float


class Files:
    """The files of all owners. Thread-safe."""

    def __init__(self, database: Database, media: MediaFolder) -> None:
        """``media`` holds the pictures."""
        self._database = database
        self.media = media

    def add(
        self, owner: str, picture: Picture, *, filename: str, num_bytes: int, purpose: str = "vision"
    ) -> StoredFile:
        """Store a picture as a new file. Errors: ``InputError`` for an unknown purpose; ``StorageError``."""
        if purpose not in PURPOSES:
            raise InputError(f"purpose must be one of {', '.join(PURPOSES)}.", field="purpose")
        name = clean_filename(filename)

        def record(sha: str) -> StoredFile:
            file = StoredFile(
                new_id("file-"),
                name,
                purpose,
                sha,
                picture.width_px,
                picture.height_px,
                num_bytes,
                picture.format,
                picture.num_frames,
                time.time(),
            )
            self._database.change(
                "INSERT INTO files (id, owner, filename, purpose, sha, num_bytes, format, num_frames, created_s)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (file.id, owner, name, purpose, sha, num_bytes, file.format, file.num_frames, file.created_s),
            )
            return file

        return self.media.keep(picture, record)

    def get(self, owner: str, file_id: str, *, is_for_looking: bool = False) -> StoredFile:
        """Give a file; one that was deleted only ``is_for_looking``, and only while a conversation shows it.

        Errors: ``NotFoundError``, for files of others too.
        """
        there = f"(files.deleted_s IS NULL OR {_IS_SHOWN})" if is_for_looking else "files.deleted_s IS NULL"
        row = self._database.row(
            f"SELECT {COLUMNS} {_FROM} WHERE files.id = ? AND files.owner = ? AND {there}", (file_id, owner)
        )
        if row is None:
            raise NotFoundError("There is no such file.", hint="Upload it with POST /v1/files.", field="file_id")
        return StoredFile(*row)

    def picture(self, owner: str, file_id: str, *, is_for_looking: bool = False) -> Picture:
        """Give a file's pixels. Errors: as ``get``; ``StorageError`` if they are lost."""
        return self.media.picture(self.get(owner, file_id, is_for_looking=is_for_looking).sha)

    def page(
        self,
        owner: str,
        *,
        after: str | None = None,
        limit: int = MAX_PAGE,
        order: Literal["asc", "desc"] = "desc",
        purpose: str | None = None,
    ) -> tuple[list[StoredFile], bool]:
        """Give files in the order of their upload, those behind ``after``, and whether there are more.

        Errors: ``NotFoundError`` if ``after`` is no file of this owner.
        """
        where = ["files.owner = ?", "files.deleted_s IS NULL"]
        values: list[Any] = [owner]
        if after is not None:
            row = self._database.row("SELECT number FROM files WHERE id = ? AND owner = ?", (after, owner))
            if row is None:
                raise NotFoundError("There is no such file.", field="after")
            where.append(f"files.number {'>' if order == 'asc' else '<'} ?")
            values.append(row[0])
        if purpose is not None:
            where.append("files.purpose = ?")
            values.append(purpose)
        direction = "ASC" if order == "asc" else "DESC"
        rows = self._database.rows(
            f"SELECT {COLUMNS} {_FROM} WHERE {' AND '.join(where)} ORDER BY files.number {direction} LIMIT ?",
            (*values, limit + 1),
        )
        return [StoredFile(*row) for row in rows[:limit]], len(rows) > limit

    def delete(self, owner: str, file_id: str) -> None:
        """Delete a file. Errors: ``NotFoundError``."""
        changed = self._database.change(
            "UPDATE files SET deleted_s = ? WHERE id = ? AND owner = ? AND deleted_s IS NULL",
            (time.time(), file_id, owner),
        )
        if not changed:
            raise NotFoundError("There is no such file.", field="file_id")
        self.drop_unused()

    def drop_unused(self) -> int:
        """Remove deleted files that no conversation shows, with their pixels, and give how many pictures went."""
        self._database.change(f"DELETE FROM files WHERE deleted_s IS NOT NULL AND NOT {_IS_SHOWN}")
        return self.media.drop_unused()


def clean_filename(name: str) -> str:
    """Give a name that is only a name: no folders, no control or direction characters, not too long."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    shown = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
    stripped = shown.strip().lstrip(".")
    return stripped[-_MAX_NAME_CHARS:] or "picture"
