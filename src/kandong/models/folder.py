"""A model's folder on disk while and after it is fetched.

Owns: the record of a pull (which source, revision, files and sums), the lock against a second pull, the sums of files,
and whether weights are whole. Must not know: the network, what tensors mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kandong.errors import CheckpointError, DownloadError
from kandong.models.sources import INDEX_FILE, MANIFEST_FILE, RemoteFile, has_plain_name

CHUNK_BYTES = 4 * 1024 * 1024
LOCK_FILE = ".kandong-pull.lock"
_FORMAT = 1
_MAX_HEADER_BYTES = 100 * 1024 * 1024  # the limit of the safetensors format


@dataclass(frozen=True)
class Manifest:
    """The record of one pull. ``revision`` is what was asked for, ``commit`` what it meant at the time."""

    model: str
    source: str
    base_url: str | None
    revision: str
    commit: str | None
    is_complete: bool
    files: tuple[RemoteFile, ...]

    def with_sum(self, name: str, sha256: str) -> Manifest:
        """Give the record with the SHA-256 that a file was seen to have."""
        return replace(self, files=tuple(replace(f, sha256=sha256) if f.name == name else f for f in self.files))


def read_manifest(folder: Path) -> Manifest | None:
    """Read a folder's record; ``None`` if there is none that can be used."""
    try:
        values: Any = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        if values.pop("format") != _FORMAT:
            return None
        files = tuple(RemoteFile(**entry) for entry in values.pop("files"))
        manifest = Manifest(files=files, **values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    is_plain = all(isinstance(f.name, str) and has_plain_name(f.name) for f in files)
    return manifest if is_plain and all(isinstance(f.size_bytes, int) for f in files) else None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the record, so that a cut leaves either the old or the new one."""
    text = json.dumps({"format": _FORMAT, **asdict(manifest)}, ensure_ascii=False, indent=1)
    new = folder / f"{MANIFEST_FILE}.new"
    with new.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / MANIFEST_FILE)


class Sums:
    """SHA-256 of bytes as they come, and git's SHA-1 of them as a blob where a source gives only that."""

    def __init__(self, file: RemoteFile) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._git_sha1 = None
        if file.git_sha1 and not file.sha256:
            self._git_sha1 = hashlib.sha1(b"blob %d\0" % file.size_bytes, usedforsecurity=False)

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._sha256.update(piece)
        if self._git_sha1 is not None:
            self._git_sha1.update(piece)

    @property
    def sha256(self) -> str:
        """The SHA-256 so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def are_right(self) -> bool:
        """Compare with the sum that the source gives; true if it gives none."""
        if self._file.sha256:
            return self.sha256 == self._file.sha256
        return self._git_sha1 is None or self._git_sha1.hexdigest() == self._file.git_sha1


def sums_of(path: Path, file: RemoteFile, advance: Callable[[int], None]) -> Sums:
    """Read a file and sum it up; ``advance`` is told the bytes of each piece. Errors: ``OSError``."""
    sums = Sums(file)
    with path.open("rb", buffering=0) as opened:
        while piece := opened.read(CHUNK_BYTES):
            sums.add(piece)
            advance(len(piece))
    return sums


def has_file(folder: Path, file: RemoteFile, advance: Callable[[int], None]) -> str | None:
    """Give the SHA-256 of a file that lies in the folder with the size and sum it should have, else ``None``.

    A file of which no sum is known is never taken for the right one.
    """
    path = folder / file.name
    if not (file.sha256 or file.git_sha1) or not path.is_file() or path.stat().st_size != file.size_bytes:
        return None
    sums = sums_of(path, file, advance)
    return sums.sha256 if sums.are_right() else None


@contextmanager
def only_pull(folder: Path, model: str) -> Iterator[None]:
    """Keep other pulls out of the folder. The system lifts the lock when the process ends, however it ends.

    Errors: ``DownloadError`` if another pull has it.
    """
    with (folder / LOCK_FILE).open("a+b") as file:
        try:
            _lock(file.fileno())
        except OSError:
            raise DownloadError(
                f"Another `kandong pull` of {model} is at work.", hint="Wait for it, or stop it and run this again."
            ) from None
        yield


def _lock(number: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(number, 0, os.SEEK_SET)
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


def check_config(path: Path) -> None:
    """Refuse a model that this program cannot run, before gigabytes of it come. Errors: ``CheckpointError``."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = config.get("model_type")
    except (ValueError, AttributeError, RecursionError):
        raise CheckpointError("config.json is no JSON object.", field="model") from None
    if kind != "qwen3_vl":
        raise CheckpointError(
            "This model is not a dense Qwen3-VL ('qwen3_vl' in config.json).",
            hint="Use 2b, 4b, 8b or a fine-tune of them.",
            field="model",
        )


def weight_files(folder: Path) -> list[str]:
    """List the weight files that a model's index names, or the one of a model without index.

    Errors: ``CheckpointError`` if the index cannot be read.
    """
    names = ["model.safetensors"]
    if (folder / INDEX_FILE).is_file():
        try:
            names = sorted(set(json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise CheckpointError(f"{INDEX_FILE} cannot be read.", field="model") from None
    if not names or not all(isinstance(name, str) and has_plain_name(name) for name in names):
        raise CheckpointError(f"{INDEX_FILE} names no weights.", field="model")
    return names


def check_weights(folder: Path) -> None:
    """Check that every weight file of a model is there and ends where its header says.

    Errors: ``CheckpointError`` naming the file.
    """
    for name in weight_files(folder):
        if not (folder / name).is_file():
            raise CheckpointError(f"The weight file {name} is missing.", field="model")
        if not _is_whole(folder / name):
            raise CheckpointError(f"The weight file {name} is cut or damaged.", field="model")


def _is_whole(path: Path) -> bool:
    """Compare a safetensors file's size with its header: 8 bytes of length, JSON with the tensors' places, tensors."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _MAX_HEADER_BYTES:
            return False
        try:
            header = json.loads(file.read(length))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
            return bool(path.stat().st_size == 8 + length + max(ends, default=0))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            return False
