"""A small client of a running Kandong service, for Python programs: ``from kandong import Client``.

Owns: requests to one service, when to send them again, and errors of the service as exceptions of ours. Must not know:
how the service works. It imports nothing of the engine, so it starts quickly and runs where there is no OpenVINO.
"""

from __future__ import annotations

import base64
import json
import os
import random
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from kandong import errors
from kandong.errors import DeadlineExceededError, EngineUnavailableError, InputError, KandongError

DEFAULT_URL = "http://127.0.0.1:8765"
_RETRIED_STATUSES = (429, 503)
# A connection that was there and broke; one that never was tells that no service is there.
_LOST = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
_RETRIED_CODES = ("request_in_progress",)
_MAX_RETRY_AFTER_S = 60.0
_CONNECT_S = 5.0
_KINDS = {
    kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, KandongError)
}

ImageSource = str | os.PathLike[str] | bytes
ImageSources = ImageSource | Iterable[ImageSource]


class Client:
    """Asks a service. Thread-safe. ``close`` it, or use it in a ``with`` block.

    >>> with Client() as client:                                            # doctest: +SKIP
    ...     print(client.ask("价格是多少？", ["card.png"]))
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = 600.0,
        max_retries: int = 2,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Without arguments: ``$KANDONG_BASE_URL`` or the local service, and the key in ``$KANDONG_API_KEY``.

        Answers 429 and 503 are tried ``max_retries`` times again, when the service says so (``Retry-After``), and so
        are requests whose connection broke, where that does nothing twice.
        ``transport`` is for tests and for programs with connections of their own.
        """
        url = base_url or os.environ.get("KANDONG_BASE_URL") or DEFAULT_URL
        key = api_key or os.environ.get("KANDONG_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._max_retries = max_retries
        self._http = httpx.Client(
            base_url=url.rstrip("/").removesuffix("/v1"),
            headers=headers,
            timeout=httpx.Timeout(timeout_s, connect=_CONNECT_S),
            transport=transport,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self._http.close()

    def ask(self, question: str, images: ImageSources = (), **options: Any) -> str:
        """Ask one question about pictures and give the answer's text.

        ``images`` are paths, bytes, ids of files or data URIs. ``options`` are fields of a chat request. Errors: those
        of the service, as in ``kandong.errors``.
        """
        answer = self.chat([user_message(question, images)], **options)
        return str(answer["choices"][0]["message"]["content"])

    def chat(self, messages: list[dict[str, Any]], *, key: str | None = None, **options: Any) -> dict[str, Any]:
        """Answer messages as OpenAI writes them; gives the whole answer as the service sends it.

        ``key`` is the ``Idempotency-Key``, by default a new one: so sending again can never do the work twice.
        """
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        body = {"messages": messages, **options}
        answer: dict[str, Any] = self._json("POST", "/v1/chat/completions", json=body, headers=headers)
        return answer

    def stream(self, messages: list[dict[str, Any]], **options: Any) -> Iterator[str]:
        """Answer messages piece by piece: gives the text as it is written. Leaving early stops the work.

        Errors: those of the service, also in the middle of an answer.
        """
        for chunk in self.stream_chunks(messages, **options):
            for choice in chunk["choices"]:
                if text := choice["delta"].get("content"):
                    yield text

    def stream_chunks(self, messages: list[dict[str, Any]], **options: Any) -> Iterator[dict[str, Any]]:
        """As ``stream``, but gives the chunks as the service sends them."""
        body = {"messages": messages, "stream": True, **options}
        with _told(), self._send("POST", "/v1/chat/completions", json=body) as response:
            for line in response.iter_lines():
                if not line.startswith("data: ") or line == "data: [DONE]":
                    continue
                chunk: dict[str, Any] = json.loads(line[6:])
                if "error" in chunk:
                    raise _error_of(chunk)
                yield chunk

    def upload(self, image: ImageSource, *, filename: str = "picture", warm: bool = True) -> dict[str, Any]:
        """Upload a picture, to ask about it more than once; gives the file's object, whose ``id`` stands for it."""
        data, name = _bytes_of(image, filename)
        files = {"file": (name, data, "application/octet-stream")}
        stored: dict[str, Any] = self._json("POST", "/v1/files", params={"warm": int(warm)}, files=files)
        return stored

    def files(self) -> list[dict[str, Any]]:
        """List the uploaded files, newest first."""
        listed: list[dict[str, Any]] = self._json("GET", "/v1/files")["data"]
        return listed

    def delete_file(self, file_id: str) -> None:
        """Delete a file."""
        self._json("DELETE", f"/v1/files/{file_id}")

    def models(self) -> list[dict[str, Any]]:
        """List the models that can be asked."""
        listed: list[dict[str, Any]] = self._json("GET", "/v1/models")["data"]
        return listed

    def is_ready(self) -> bool:
        """Whether the service can answer now."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def _json(self, method: str, path: str, **request: Any) -> Any:
        with _told(), self._send(method, path, **request) as response:
            response.read()
            try:
                return response.json()
            except ValueError:
                raise KandongError("The service's answer is not JSON.", hint="Is this address Kandong's?") from None

    @contextmanager
    def _send(self, method: str, path: str, **request: Any) -> Iterator[httpx.Response]:
        """Send a request, again where that helps; gives the answer with its body still to be read."""
        for num_tries in range(self._max_retries + 1):
            try:
                response = self._http.send(self._http.build_request(method, path, **request), stream=True)
            except _LOST:
                if not _may_be_repeated(method, request) or num_tries == self._max_retries:
                    raise
                time.sleep(retry_delay_s(None, num_tries))
                continue
            with closing(response):
                if response.is_success:
                    yield response
                    return
                response.read()
                error = _error_of(_json_of(response))
            is_retried = response.status_code in _RETRIED_STATUSES or error.code in _RETRIED_CODES
            if not is_retried or not error.retryable or num_tries == self._max_retries:
                raise error
            time.sleep(retry_delay_s(response.headers.get("Retry-After"), num_tries))


def _may_be_repeated(method: str, request: dict[str, Any]) -> bool:
    """Whether sending a request again does nothing twice, though the first may have come through."""
    return method == "GET" or "Idempotency-Key" in (request.get("headers") or {})


def retry_delay_s(retry_after: str | None, num_tries: int) -> float:
    """Give how long to wait: as the service says, else 0.5 s doubling, and up to a quarter more by chance."""
    try:
        seconds = float(retry_after) if retry_after is not None else 0.5 * 2.0**num_tries
    except ValueError:
        seconds = 0.5 * 2.0**num_tries
    return min(_MAX_RETRY_AFTER_S, max(0.0, seconds)) * random.uniform(1.0, 1.25)


def user_message(question: str, images: ImageSources = ()) -> dict[str, Any]:
    """Give a message of the user: pictures first, then the question. Errors: ``InputError`` for a missing file."""
    if isinstance(images, str | bytes | os.PathLike):
        images = [images]
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": _url_of(image)}} for image in images]
    return {"role": "user", "content": [*parts, {"type": "text", "text": question}]}


def _url_of(image: ImageSource) -> str:
    if isinstance(image, str) and (image.startswith(("data:", "http://", "https://", "file-"))):
        return image
    data, _ = _bytes_of(image, "")
    return "data:application/octet-stream;base64," + base64.b64encode(data).decode()


def _bytes_of(image: ImageSource, filename: str) -> tuple[bytes, str]:
    if isinstance(image, bytes):
        return image, filename
    path = Path(image)
    try:
        return path.read_bytes(), path.name
    except (OSError, ValueError):
        raise InputError(f"{image}: there is no such file.", hint="Check the path.", field="images") from None


def _json_of(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _error_of(body: Any) -> KandongError:
    """Give the exception for an error of the service; its ``code`` says which one."""
    told = body.get("error") if isinstance(body, dict) else None
    if not isinstance(told, dict):
        return KandongError("The service answered with an error of another kind.", hint="Is this address Kandong's?")
    kind = _KINDS.get(str(told.get("code")), KandongError)
    return kind(str(told.get("message")), hint=told.get("hint"), field=told.get("param"))


@contextmanager
def _told() -> Iterator[None]:
    """Say in our own words what went wrong with the connection."""
    try:
        yield
    except httpx.TimeoutException:
        raise DeadlineExceededError("The service did not answer in time.", hint="Allow more with timeout_s.") from None
    except httpx.TransportError:
        raise EngineUnavailableError(
            "The service cannot be reached.", hint="Start it with `kandong serve`, or check base_url."
        ) from None
