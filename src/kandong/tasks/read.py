"""Reading pictures for a person or a program: files one after the other, each with its report or its error.

Owns: the order of files, what counts as a picture in a folder, and that one bad file never stops the others.
Must not know: how reading works, how results look.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kandong.errors import InputError, KandongError
from kandong.reading.images import decode_picture, load_picture
from kandong.reading.reader import pipeline_digest, read_picture
from kandong.reading.report import ImageReading
from kandong.types import Picture

PICTURE_ENDINGS: Final = frozenset({".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".webp"})
STDIN: Final = "-"


@dataclass(frozen=True)
class FileReading:
    """One file: its name as given, and either what was read in it, with the picture, or why it could not be."""

    name: str
    ms: float
    reading: ImageReading | None = None
    picture: Picture | None = None
    error: KandongError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form: ``{file, ms, reading}`` or ``{file, ms, error}``."""
        head: dict[str, Any] = {"file": self.name, "ms": round(self.ms, 1)}
        if self.reading is not None:
            return head | {"reading": self.reading.to_dict()}
        assert self.error is not None
        return head | {"error": self.error.to_dict()}


def picture_files(names: Sequence[str]) -> list[str]:
    """Give the files that are meant: folders are searched, deeply and in order of names, for picture endings.

    Errors: ``InputError`` for a folder without pictures, and for stdin named twice.
    """
    files: list[str] = []
    for name in names:
        path = Path(name)
        if name == STDIN or not path.is_dir():
            files.append(name)
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURE_ENDINGS and p.is_file())
        if not inside:
            endings = ", ".join(sorted(PICTURE_ENDINGS))
            raise InputError(f"{name}: no pictures in this folder.", hint=f"Looked for {endings}.", field="image")
        files += map(str, inside)
    if files.count(STDIN) > 1:
        raise InputError("'-' stands for stdin and can be given once.", field="image")
    return files


def read_files(files: Sequence[str], stdin: bytes | None = None) -> Iterator[FileReading]:
    """Read files one after the other; each gives exactly one result, and a bad one does not stop the rest.

    ``stdin`` holds the bytes for the name ``-``. Errors: ``ModelError`` where OCR itself cannot be opened, as no file
    could then be read.
    """
    for index, name in enumerate(files):
        start = time.perf_counter()
        try:
            is_stdin = name == STDIN and stdin is not None
            picture = (
                decode_picture(stdin, name="stdin") if is_stdin and stdin is not None else load_picture(Path(name))
            )
        except KandongError as error:
            yield FileReading(name, 1e3 * (time.perf_counter() - start), error=error)
            continue
        reading = read_picture(picture, index)
        yield FileReading(name, 1e3 * (time.perf_counter() - start), reading=reading, picture=picture)


def engines() -> dict[str, str]:
    """Name what does the reading, for reports."""
    return {"reading": pipeline_digest()}
