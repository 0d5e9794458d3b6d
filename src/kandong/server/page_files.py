"""The web page's files: built elsewhere into a folder of this package, served from memory.

Owns: which files there are, caching, the nonce of each answer, and what is shown where none were built.
Must not know: what is on the page.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from flask import Response, request

from kandong.errors import NotFoundError
from kandong.server.content_policy import new_nonce, page_policy

PAGE_FOLDER = Path(__file__).resolve().parent / "page"
INDEX = "index.html"
NONCE_MARK = b"__CSP_NONCE__"
_HASHED = re.compile(r"(^|/)assets/.*[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$")
_YEAR_S = 365 * 86_400
_MIN_GZIP_BYTES = 1024
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".webmanifest": "application/manifest+json"}
_TEXTS = ("text/", "application/json", "application/manifest+json", "image/svg+xml")
_NOT_BUILT = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>看懂 Kandong</title>
<meta name="viewport" content="width=device-width"></head><body>
<h1>看懂 Kandong</h1>
<p>服务正在运行，但网页还没有构建。在源码目录运行 <code>make page</code>（需要 Node.js），然后刷新。
API 可以直接使用：<a href="/docs">/docs</a>。</p>
<p lang="en">The service runs, but its page has not been built. Run <code>make page</code> in a clone (it needs Node.js)
and load this again. The API works without it: <a href="/docs">/docs</a>.</p>
</body></html>
"""


@dataclass(frozen=True)
class _File:
    data: bytes
    packed: bytes | None
    mimetype: str


class PageFiles:
    """All files of a built page; none if there is no build."""

    def __init__(self, folder: Path = PAGE_FOLDER) -> None:
        """Read them. Nothing is looked up on the disk afterwards, so no path can lead anywhere else."""
        paths = sorted(p for p in folder.rglob("*") if p.is_file()) if (folder / INDEX).is_file() else []
        self._files = {path.relative_to(folder).as_posix(): _read(path) for path in paths}

    @property
    def is_built(self) -> bool:
        """Whether there is a page."""
        return bool(self._files)

    def answer(self, path: str) -> Response:
        """Give the file at a path, or the index where the path is one of the page's own views.

        Errors: ``NotFoundError``.
        """
        if path in self._files and path != INDEX:
            return self._file(path)
        if "." in path.rpartition("/")[2] and path != INDEX:
            raise NotFoundError("The page has no such file.")
        return self._index()

    def _file(self, path: str) -> Response:
        file = self._files[path]
        is_packed = file.packed is not None and request.accept_encodings["gzip"] > 0
        response = Response(file.packed if is_packed else file.data, mimetype=file.mimetype)
        if file.packed is not None:
            response.headers["Vary"] = "Accept-Encoding"
        if is_packed:
            response.headers["Content-Encoding"] = "gzip"
        caching = f"public, max-age={_YEAR_S}, immutable" if _HASHED.search(path) else "no-cache"
        response.headers["Cache-Control"] = caching
        return response

    def _index(self) -> Response:
        nonce = new_nonce()
        data = self._files[INDEX].data if self.is_built else _NOT_BUILT.encode()
        response = Response(data.replace(NONCE_MARK, nonce.encode()), mimetype="text/html")
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Security-Policy"] = page_policy(nonce)
        return response


def _read(path: Path) -> _File:
    data = path.read_bytes()
    mimetype = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = gzip.compress(data, 6, mtime=0) if mimetype.startswith(_TEXTS) and len(data) >= _MIN_GZIP_BYTES else None
    return _File(data, packed, mimetype)
