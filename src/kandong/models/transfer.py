"""Bringing one file into a model's folder: from the web in continued parts, or from another folder.

Owns: part files, continuing after a cut, checking sums, copying. Must not know: hubs, which files a model has.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

import httpx

from kandong.errors import DownloadError, DownloadRefusedError
from kandong.models.folder import CHUNK_BYTES, Sums, sums_of
from kandong.models.sources import Listing, RemoteFile, Source
from kandong.models.web import CutError, Web, gave_up, host_of, wait_before

# A try that brings less than this counts as failed in a row; a long download on a bad line still comes to its end.
_PROGRESS_BYTES = 1024 * 1024
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class Transfer(Protocol):
    """A way for files to come."""

    def part_path(self, folder: Path, file: RemoteFile) -> Path:
        """Give where the file is kept until it is whole."""

    def bring(self, file: RemoteFile, part: Path, advance: Callable[[int], None]) -> str:
        """Make the part file whole and right; gives its SHA-256. ``advance`` is told bytes, negative if thrown away."""


class WebTransfer:
    """Files from a source on the web."""

    def __init__(self, web: Web, source: Source, model: str, listing: Listing) -> None:
        self._web = web
        self._source = source
        self._model = model
        self._listing = listing

    def part_path(self, folder: Path, file: RemoteFile) -> Path:
        """Name the part file after the content, so that bytes of another version are never continued."""
        where = "" if file.sha256 or file.git_sha1 else self._source.base_url
        key = hashlib.sha256(f"{where} {file.size_bytes} {file.identity}".encode()).hexdigest()[:16]
        return folder / f"{file.name}.{key}.part"

    def bring(self, file: RemoteFile, part: Path, advance: Callable[[int], None]) -> str:
        """Fetch what is missing and check the sum; a wrong sum throws the file away and tries once more.

        Errors: ``DownloadError``.
        """
        for _ in range(2):
            with PartFile(part, file, advance) as opened:
                self._fetch(file, opened)
                if opened.sums.are_right():
                    opened.to_disk()
                    return opened.sums.sha256
                opened.restart()
        part.unlink()
        raise DownloadError(
            f"{file.name} came from {host_of(self._source.base_url)} with a wrong sum, twice; it was thrown away.",
            hint="Something between here and the source changes files; choose another --source.",
        )

    def _fetch(self, file: RemoteFile, part: PartFile) -> None:
        num_failed, best_bytes = 0, part.have_bytes
        while part.have_bytes < file.size_bytes:
            try:
                self._fetch_once(file, part)
            except CutError as cut:
                num_failed = 1 if part.have_bytes >= best_bytes + _PROGRESS_BYTES else num_failed + 1
                best_bytes = max(best_bytes, part.have_bytes)
                if num_failed >= self._web.max_tries:
                    raise gave_up(f"{file.name} from {host_of(self._source.base_url)}", cut) from None
                wait_before(num_failed, cut)

    def _fetch_once(self, file: RemoteFile, part: PartFile) -> None:
        """Fetch the rest of a file. Errors: ``CutError`` if it did not come to its end."""
        headers = {}
        if part.have_bytes:
            headers["Range"] = f"bytes={part.have_bytes}-"
            if file.validator:
                headers["If-Range"] = file.validator
        url = self._source.url_of(self._model, self._listing, file.name)
        with self._web.open("GET", url, self._source.login, headers) as response:
            _require_unchanged(file, response)
            is_continued = response.status_code == 206 and _continues(response, part.have_bytes, file.size_bytes)
            if not is_continued:
                part.restart()
                if response.status_code != 200:
                    raise CutError("the source cannot continue the file")
            for piece in response.iter_bytes():
                if part.have_bytes + len(piece) > file.size_bytes:
                    part.restart()
                    raise CutError("more bytes came than the file has")
                part.write(piece)
        if part.have_bytes < file.size_bytes:
            raise CutError("the connection was cut")


class CopyTransfer:
    """Files from another folder: as a second name of the same file where the disk allows it, else as a copy."""

    def __init__(self, origin: Path) -> None:
        self._origin = origin

    def part_path(self, folder: Path, file: RemoteFile) -> Path:
        """Give a name that no file of the web has."""
        return folder / f"{file.name}.copy.part"

    def bring(self, file: RemoteFile, part: Path, advance: Callable[[int], None]) -> str:
        """Link or copy. Errors: ``DownloadError`` if the file changed since it was listed."""
        part.unlink(missing_ok=True)
        # The caches of the hubs' tools hold links; the link itself would break when the cache is tidied.
        origin = (self._origin / file.name).resolve()
        try:
            os.link(origin, part)
        except OSError:
            with origin.open("rb") as source, part.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK_BYTES)
                target.flush()
                os.fsync(target.fileno())
        sums = sums_of(part, file, advance)
        if part.stat().st_size != file.size_bytes or not sums.are_right():
            part.unlink()
            raise DownloadError(f"{file.name} changed or was damaged while it was copied.")
        return sums.sha256


class PartFile:
    """A file that grows on disk, with the sums of what it has."""

    def __init__(self, path: Path, file: RemoteFile, advance: Callable[[int], None]) -> None:
        """Open it, with what an earlier pull left in it."""
        self._file = file
        self._advance = advance
        self.sums = Sums(file)
        self.have_bytes = 0
        is_known = file.identity is not None and path.is_file() and path.stat().st_size <= file.size_bytes
        # Unbuffered, so that what came is on disk even if the process is killed.
        self._opened = path.open("r+b" if is_known else "w+b", buffering=0)
        while piece := self._opened.read(CHUNK_BYTES):
            self._count(piece)

    def __enter__(self) -> PartFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.close()

    def write(self, piece: bytes) -> None:
        """Add bytes at the end. Errors: ``OSError``."""
        left = memoryview(piece)
        while left:  # a raw write may take a part only
            left = left[self._opened.write(left) :]
        self._count(piece)

    def restart(self) -> None:
        """Throw away what there is."""
        self._opened.seek(0)
        self._opened.truncate()
        self._advance(-self.have_bytes)
        self.sums, self.have_bytes = Sums(self._file), 0

    def to_disk(self) -> None:
        """Return when the bytes are on the disk itself."""
        os.fsync(self._opened.fileno())

    def _count(self, piece: bytes) -> None:
        self.sums.add(piece)
        self.have_bytes += len(piece)
        self._advance(len(piece))


def _require_unchanged(file: RemoteFile, response: httpx.Response) -> None:
    seen = [response.headers.get(name) for name in ("ETag", "Last-Modified")]
    if file.validator and any(seen) and file.validator not in seen and response.status_code != 416:
        raise DownloadRefusedError(
            f"{file.name} changed at its source while it was fetched.", hint="Run the same command again."
        )


def _continues(response: httpx.Response, have_bytes: int, size_bytes: int) -> bool:
    """Tell whether a 206 answer is the rest of this very file, as it is stored."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    is_plain = response.headers.get("Content-Encoding", "identity") == "identity"
    return is_plain and found is not None and (int(found[1]), int(found[2])) == (have_bytes, size_bytes)
