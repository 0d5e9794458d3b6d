"""A server on this machine that behaves like both hubs, like a plain web folder, and like their bad days."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
PIECE_BYTES = 16 * 1024


def git_blob_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def safetensors(num_bytes: int, seed: int) -> bytes:
    header = json.dumps({"x": {"dtype": "U8", "shape": [num_bytes], "data_offsets": [0, num_bytes]}}).encode()
    body = hashlib.shake_128(bytes([seed])).digest(num_bytes)
    return len(header).to_bytes(8, "little") + header + body


def model_files(shard_bytes: int = 300_000) -> dict[str, bytes]:
    shards = {f"model-0000{i}-of-00002.safetensors": safetensors(shard_bytes, i) for i in (1, 2)}
    index = {"metadata": {}, "weight_map": {f"tensor.{name}": name for name in shards}}
    return shards | {
        "config.json": json.dumps({"model_type": "qwen3_vl"}).encode(),
        "model.safetensors.index.json": json.dumps(index).encode(),
        "tokenizer.json": b'{"version": "1.0"}' * 50,
        "chat_template.jinja": b"{{ messages }}",
        "merges.txt": "图 文\n".encode(),
        "README.md": b"not needed",
        ".gitattributes": b"not needed",
    }


@dataclass
class Behaviour:
    """What the server does; tests change it while it runs."""

    files: dict[str, bytes]
    token: str | None = None  # asked for, if set
    redirect_to: str | None = None  # where the bytes of weights are
    next_page_at: str = ""  # the server that the second page of a list is said to be at
    statuses: list[int] = field(default_factory=list)  # answers to the next requests
    file_statuses: list[int] = field(default_factory=list)  # answers to the next requests for files
    cuts: list[int] = field(default_factory=list)  # the next bodies of weights end after so many bytes
    num_wrong: dict[str, int] = field(default_factory=dict)  # how often a file comes changed
    extra_names: list[str] = field(default_factory=list)
    ignores_range: bool = False
    lies_about_range: bool = False
    has_commit: bool = True
    pause_s: float = 0.0  # after each piece
    answer_delay_s: float = 0.0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    body_bytes: int = 0


class HubServer:
    """The server, running in threads of its own."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.behaviour = Behaviour(files)
        handler = type("Handler", (_Handler,), {"behaviour": self.behaviour})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def requested(self, part: str) -> list[dict[str, str]]:
        """Give the headers of the requests whose address has a text in it."""
        return [headers for path, headers in self.behaviour.requests if part in path]


class _Handler(http.server.BaseHTTPRequestHandler):
    behaviour: Behaviour
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits for the client's delayed acknowledgement

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        b = self.behaviour
        b.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        time.sleep(b.answer_delay_s)
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        if b.statuses:
            return self._status(b.statuses.pop(0))
        if b.token and self.headers.get("Authorization") != f"Bearer {b.token}" and not path.startswith("/cdn/"):
            return self._status(401)
        if path.startswith("/api/v1/models/") and path.endswith("/repo/files"):
            return self._json(self._modelscope_listing())
        if path.startswith("/api/v1/models/") and path.endswith("/repo"):
            return self._file(query["FilePath"][0])
        if path.startswith("/api/models/") and "/revision/" in path:
            return self._status(404) if path.endswith("/nowhere") else self._json({"sha": COMMIT})
        if path.startswith("/api/models/") and path.endswith(f"/tree/{COMMIT}"):
            return self._hugging_face_page(int(query.get("cursor", ["0"])[0]))
        if f"/resolve/{COMMIT}/" in path or path.startswith(("/cdn/", "/plain/")):
            return self._file(path.rsplit("/", 1)[-1], is_redirected=path.startswith("/cdn/"))
        return self._status(404)

    def _hugging_face_page(self, start: int) -> None:
        """Give the tree in two pages, linked as the hub links them."""
        entries: list[dict[str, Any]] = [{"type": "directory", "path": "onnx", "oid": "0" * 40, "size": 0}]
        for name, content in self.behaviour.files.items():
            entry = {"type": "file", "path": name, "size": len(content), "oid": git_blob_sha1(content)}
            if name.endswith(".safetensors"):
                entry["oid"] = "1" * 40  # of the pointer
                entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            entries.append(entry)
        extra = self.behaviour.extra_names
        entries += [{"type": "file", "path": n, "size": 3, "oid": git_blob_sha1(b"bad")} for n in extra]
        middle = len(entries) // 2
        link = f'<{self.behaviour.next_page_at}{self.path}&cursor={middle}>; rel="next"' if start == 0 else None
        self._json(entries[:middle] if start == 0 else entries[start:], link)

    def _modelscope_listing(self) -> dict[str, Any]:
        files: list[dict[str, Any]] = [{"Type": "tree", "Path": "onnx", "Size": 0, "Sha256": ""}]
        for name, content in self.behaviour.files.items():
            sha256 = hashlib.sha256(content).hexdigest()
            files.append({"Type": "blob", "Path": name, "Name": name, "Size": len(content), "Sha256": sha256})
        files += [{"Type": "blob", "Path": n, "Size": 3, "Sha256": "0" * 64} for n in self.behaviour.extra_names]
        latest = {"Id": COMMIT if self.behaviour.has_commit else "", "ShortId": COMMIT[:8]}
        return {"Code": 200, "Success": True, "Data": {"Files": files, "LatestCommitter": latest}}

    def _file(self, name: str, *, is_redirected: bool = False) -> None:
        b = self.behaviour
        if b.file_statuses:
            return self._status(b.file_statuses.pop(0))
        if name not in b.files:
            return self._status(404)
        if b.redirect_to and name.endswith(".safetensors") and not is_redirected:
            self.send_response(302)
            self.send_header("Location", f"{b.redirect_to}/cdn/{name}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        content = b.files[name]
        etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
        if b.num_wrong.get(name, 0) and self.command == "GET":
            b.num_wrong[name] -= 1
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = 0
        wanted = self.headers.get("Range")
        if wanted and not b.ignores_range and self.headers.get("If-Range") in (None, etag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        if start:
            told = start + 1 if b.lies_about_range else start
            self.send_header("Content-Range", f"bytes {told}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", etag)
        self.end_headers()
        if self.command == "GET":
            self._body(name, content[start:])
        return None

    def _body(self, name: str, content: bytes) -> None:
        b = self.behaviour
        is_cut = bool(b.cuts) and name.endswith(".safetensors")
        end = b.cuts.pop(0) if is_cut else len(content)
        for at in range(0, min(end, len(content)), PIECE_BYTES):
            piece = content[at : min(at + PIECE_BYTES, end)]
            self.wfile.write(piece)
            b.body_bytes += len(piece)
            time.sleep(b.pause_s)
        self.close_connection = self.close_connection or is_cut

    def _json(self, value: object, link: str | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if link:
            self.send_header("Link", link)
        self.end_headers()
        self.wfile.write(body)

    def _status(self, status: int) -> None:
        self.send_response(HTTPStatus(status))
        self.send_header("Content-Length", "0")
        self.end_headers()
