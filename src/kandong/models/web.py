"""Requests to a model's source, with patience and with care for the token.

Owns: the HTTP client, time limits, waiting between tries, and turning statuses and broken connections into the errors
of the tree. The only module that reaches the network. Must not know: hubs, files on disk.
"""

from __future__ import annotations

import functools
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from kandong.errors import DownloadError, DownloadRefusedError

MAX_TRIES = 5
MAX_ANSWER_BYTES = 32 * 1024 * 1024  # of a file list; Qwen3-VL-2B's has some kilobytes
Given = TypeVar("Given")
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
_PATIENT = httpx.Timeout(30.0, connect=10.0)
_BRISK = httpx.Timeout(6.0, connect=4.0)


class CutError(Exception):
    """A try failed in a way that another one may not: no connection, cut, time limit, busy server."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_s = wait_s


@dataclass(frozen=True)
class Login:
    """Headers that prove who asks; sent to one origin only, never to another host that it redirects to."""

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    hint: str | None = None  # what to do where the source refuses

    def headers_for(self, url: str) -> dict[str, str]:
        """Give the headers if the address is of the same scheme, host and port; otherwise none."""
        return dict(self.headers) if _origin(url) == _origin(self.base_url) else {}


class Web:
    """A client for one pull. Proxies come from HTTP_PROXY, HTTPS_PROXY and NO_PROXY."""

    def __init__(self, *, max_tries: int = MAX_TRIES, is_brisk: bool = False) -> None:
        """``is_brisk`` is for finding out who answers: short time limits instead of patient ones."""
        self.max_tries = max_tries
        # Whole bytes as stored: a compressed body could not be continued from its middle.
        headers = {"User-Agent": "kandong", "Accept-Encoding": "identity"}
        try:
            self._client = httpx.Client(
                follow_redirects=True,
                max_redirects=10,
                timeout=_BRISK if is_brisk else _PATIENT,
                headers=headers,
                verify=_trust(),
            )
        except (ValueError, ImportError, httpx.InvalidURL):
            raise DownloadRefusedError(
                "A proxy setting cannot be used.", hint="Look at HTTP_PROXY, HTTPS_PROXY and ALL_PROXY."
            ) from None

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def read_json(self, url: str, login: Login) -> tuple[Any, httpx.Response]:
        """Fetch JSON. Errors: ``DownloadError`` after the last try; ``DownloadRefusedError`` if refused or no JSON."""

        def once() -> tuple[Any, httpx.Response]:
            with self.open("GET", url, login) as response:
                body = b""
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:
                        raise DownloadRefusedError(f"{host_of(url)} answers with far more than a list of files.")
            try:
                return json.loads(body), response
            except (ValueError, RecursionError):
                raise DownloadRefusedError(
                    f"{host_of(url)} does not answer as a model source does.",
                    hint="A proxy or login page may be in between, or the address is wrong.",
                ) from None

        return self.patiently(once, host_of(url))

    def patiently(self, once: Callable[[], Given], what: str) -> Given:
        """Run a try until it gives something, waiting longer each time. Errors: ``DownloadError`` after the last."""
        for number in range(1, self.max_tries + 1):
            try:
                return once()
            except CutError as cut:
                if number == self.max_tries:
                    raise gave_up(what, cut) from None
                wait_before(number, cut)
        raise AssertionError("unreachable: max_tries is at least 1")

    @contextmanager
    def open(
        self, method: str, url: str, login: Login, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Send one request and give the answer, its body unread; redirects to another origin lose the login.

        Statuses 200, 206 and 416 are given. Errors: ``CutError`` where another try may help, also while the body is
        read inside the ``with``; ``DownloadRefusedError`` for the others.
        """
        sent = login.headers_for(url) | dict(headers or {})
        try:
            with self._client.stream(method, url, headers=sent) as response:
                _refuse(response, login)
                yield response
        except httpx.TimeoutException:
            raise CutError("no answer in time") from None
        except httpx.ConnectError as error:
            if "CERTIFICATE" in str(error):
                raise DownloadRefusedError(
                    f"{host_of(url)} shows a certificate that this machine does not trust.",
                    hint="Behind a company's proxy, SSL_CERT_FILE names its certificates.",
                ) from None
            raise CutError("no connection") from None
        except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.InvalidURL):
            raise DownloadRefusedError(f"{host_of(url)} redirects to where nothing can be fetched.") from None
        except httpx.HTTPError:
            raise CutError("the connection was cut") from None


def wait_before(number: int, cut: CutError) -> None:
    """Wait after the ``number``-th failed try: as long as the server asks, or twice as long each time."""
    wait_s = _FIRST_WAIT_S * 2 ** (number - 1) if cut.wait_s is None else cut.wait_s
    time.sleep(min(wait_s, _LONGEST_WAIT_S))


def gave_up(what: str, cut: CutError) -> DownloadError:
    """Make the error for the end of all tries."""
    return DownloadError(
        f"{what}: {cut.reason}, again and again.",
        hint="Run the same command again to go on from here, or choose another --source.",
    )


def host_of(url: str) -> str:
    """Give the host to show for an address."""
    return urlsplit(url).hostname or "the source"


def _refuse(response: httpx.Response, login: Login) -> None:
    status, host = response.status_code, response.url.host
    if status in (200, 206, 416):
        return
    if status in (408, 425, 429) or status >= 500:
        seconds = response.headers.get("Retry-After", "")
        raise CutError(f"status {status}", float(seconds) if seconds.isascii() and seconds.isdigit() else None)
    if status in (401, 403):
        raise DownloadRefusedError(
            f"{host} refuses access (status {status}): the model is gated, private, or not there.", hint=login.hint
        )
    if status in (404, 410):
        raise DownloadRefusedError(
            f"{host} has no such model, revision or file (status {status}).",
            hint="Look at the spelling of the model and of --revision.",
        )
    raise DownloadRefusedError(f"{host} answers with status {status}.", hint="Choose another --source.")


@functools.cache
def _trust() -> ssl.SSLContext:
    """Read the trusted certificates, SSL_CERT_FILE being followed, once: it takes a good part of a small pull."""
    return httpx.create_ssl_context()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default
