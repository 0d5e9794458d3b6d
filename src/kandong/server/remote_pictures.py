"""Pictures from web addresses, only of hosts that the operator allows, and never from a private network.

Owns: which address may be dialled. Must not know: pictures, requests.

A name is resolved once, every address that it has must be public, and one of those is dialled, with the name for TLS
and ``Host``: nothing can be exchanged between the check and the connection. Each redirect begins anew. The
check is where connections are made, so no way of writing an address gets past it. Proxies of the environment are not
used.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import urljoin, urlsplit

import httpcore

from kandong.errors import InputError, PictureError, PictureLimitError, QueueFullError

MAX_REDIRECTS = 3
MAX_ADDRESS_CHARS = 2_048
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}
_HEADERS = (("Accept", "image/*"), ("Accept-Encoding", "identity"), ("User-Agent", "kandong"))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_HINT = "Download the picture and send it as a data URI, or upload it with POST /v1/files."
_at_once = threading.BoundedSemaphore(8)

Resolve = Callable[[str, int], Sequence[str]]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet, whatever it is wrapped in."""
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64 or int(ip) >> 32 == 0:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_private or ip.is_unspecified)


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name. Errors: ``OSError``, ``UnicodeError``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@cache
def _certificates() -> ssl.SSLContext:
    """Read whom to trust, once: it takes a tenth of a second."""
    return ssl.create_default_context()


@dataclass(frozen=True)
class RemotePictures:
    """Fetches from ``hosts`` only: a name, or ``*.name`` for all below it, each perhaps with ``:port``."""

    hosts: Sequence[str] = ()
    max_bytes: int = 20 * 2**20
    total_s: float = 20.0
    may_dial: Callable[[str], bool] = is_public
    resolve: Resolve = resolve

    def fetch(self, url: str) -> bytes:
        """Give what is at an address.

        Errors: ``InputError`` for an address that is not allowed (no connection was made); ``PictureLimitError`` if it
        is too large; ``PictureError`` if it cannot be fetched; ``QueueFullError`` if many are being fetched.
        """
        if not self.hosts:
            raise InputError("Pictures are not fetched from the network.", hint=_HINT)
        if not _at_once.acquire(timeout=self.total_s):
            raise QueueFullError("Too many pictures are being fetched.", hint="Try again in a moment.")
        try:
            backend = _Backend(self, time.monotonic() + self.total_s)
            for _ in range(MAX_REDIRECTS + 1):
                status, location, data = self._get(url, backend)
                if status not in _REDIRECTS:
                    return data
                url = urljoin(url, location)
            raise InputError(f"The address leads on more than {MAX_REDIRECTS} times.", hint=_HINT)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError, ValueError):
            raise PictureError("The picture cannot be fetched from this address.", hint=_HINT) from None
        finally:
            _at_once.release()

    def _get(self, url: str, backend: _Backend) -> tuple[int, str, bytes]:
        self._check(url)
        with (
            httpcore.ConnectionPool(ssl_context=_certificates(), network_backend=backend, max_connections=1) as pool,
            pool.stream("GET", url.partition("#")[0], headers=_HEADERS) as response,
        ):
            headers = {name.lower(): value for name, value in response.headers}
            if response.status in _REDIRECTS:
                return response.status, headers.get(b"location", b"").decode("latin-1"), b""
            if response.status != 200:
                raise PictureError(f"The picture's server answers with HTTP {response.status}.", hint=_HINT)
            if headers.get(b"content-encoding", b"identity").lower() != b"identity":
                raise PictureError("The picture's server sends it packed.", hint=_HINT)
            return response.status, "", self._read(response.iter_stream())

    def _read(self, pieces: Iterable[bytes]) -> bytes:
        data = bytearray()
        for piece in pieces:
            data += piece
            if len(data) > self.max_bytes:
                raise PictureLimitError(f"The picture's file has more than {self.max_bytes} bytes.", hint=_HINT)
        return bytes(data)

    def _check(self, url: str) -> None:
        """Refuse an address by how it is written. Errors: ``InputError``."""
        wrong = InputError("This is not a plain http(s) address.", hint=_HINT)
        if len(url) > MAX_ADDRESS_CHARS or not url.isascii() or any(ord(c) <= 32 or c in '\\"<>^`{|}' for c in url):
            raise wrong
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (ValueError, KeyError):
            raise wrong from None
        if not parts.hostname or "@" in parts.netloc:
            raise wrong
        if not any(_matches(parts.hostname, port, parts.scheme, allowed) for allowed in self.hosts):
            raise InputError(
                "Pictures are not fetched from this host.", hint=f"{_HINT} The setting remote_hosts allows."
            )


def _matches(host: str, port: int, scheme: str, allowed: str) -> bool:
    name, colon, wanted = allowed.lower().rpartition(":")
    if not colon or not wanted.isdigit():
        name, wanted = allowed.lower(), str(_PORTS[scheme])
    host, name = host.lower().rstrip("."), name.strip("[]")
    is_host = host.endswith(name[1:]) if name.startswith("*.") else host == name
    return is_host and str(port) == wanted


class _Backend(httpcore.NetworkBackend):
    """Makes connections to checked addresses only, and lets nothing last longer than the whole may."""

    def __init__(self, rules: RemotePictures, until: float) -> None:
        self._rules = rules
        self._until = until

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - one deadline holds for all
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Dial one of the addresses of a name. Errors: ``InputError`` if any of them is not public."""
        addresses = self._resolve_in_time(host, port)
        if not addresses or not all(self._rules.may_dial(address) for address in addresses):
            raise InputError("This host is not on the open internet.", hint=_HINT)
        connected = httpcore.SyncBackend().connect_tcp(addresses[0], port, timeout=self._left_s())
        return _Stream(connected, self._left_s)

    def connect_unix_socket(self, *_: object, **__: object) -> httpcore.NetworkStream:
        """Never."""
        raise InputError("This is not a plain http(s) address.")

    def sleep(self, seconds: float) -> None:
        """Wait, as the library asks between tries."""
        time.sleep(min(seconds, self._left_s()))

    def _left_s(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for one picture is over")
        return left

    def _resolve_in_time(self, host: str, port: int) -> Sequence[str]:
        """Resolve elsewhere: the system's resolver cannot be told when to give up."""
        found: queue.Queue[Sequence[str]] = queue.Queue()

        def ask() -> None:
            try:
                found.put(self._rules.resolve(host, port))
            except (OSError, UnicodeError):
                found.put(())

        threading.Thread(target=ask, name="resolve", daemon=True).start()
        try:
            addresses = found.get(timeout=self._left_s())
        except queue.Empty:
            addresses = ()
        if not addresses:
            raise httpcore.ConnectError("no such name")
        return addresses


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait ends when the whole must."""

    def __init__(self, inner: httpcore.NetworkStream, left_s: Callable[[], float]) -> None:
        self._inner = inner
        self._left_s = left_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Receive."""
        return self._inner.read(max_bytes, self._left_s())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send."""
        self._inner.write(buffer, self._left_s())

    def close(self) -> None:
        """End it."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Go on encrypted, with the certificate of the name that was asked for."""
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._left_s()), self._left_s)

    def get_extra_info(self, info: str) -> object:
        """Give what is known about the connection."""
        return self._inner.get_extra_info(info)
