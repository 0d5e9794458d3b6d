"""Fetching pictures: only from allowed hosts, never from a private network, whichever way an address is written.

Listeners on loopback count connections. ``127.0.0.2`` plays the open internet here, ``127.0.0.1`` the private network.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from kandong.errors import InputError, KandongError, PictureError, PictureLimitError
from kandong.server.remote_pictures import RemotePictures, is_public
from kandong.settings import Settings
from tests.server.asking import URL, image, refusal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
OUTSIDE, INSIDE = "127.0.0.2", "127.0.0.1"
HOST = "pictures.example"


class Listener:
    """A server of canned answers that counts who comes."""

    def __init__(self, address: str, answer: Callable[[socket.socket], None]) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._socket = socket.create_server((address, 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.requests.append(b"")
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                self.requests[-1] = connection.recv(65536)
                self._answer(connection)
            except OSError:
                return

    def close(self) -> None:
        self._socket.close()


def says(body: bytes, status: str = "200 OK", headers: str = "") -> Callable[[socket.socket], None]:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}Connection: close\r\n\r\n".encode()
    return lambda connection: connection.sendall(head + body)


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    opened: list[Listener] = []

    def make(address: str, answer: Callable[[socket.socket], None] = says(b"secret")) -> Listener:  # noqa: B008
        opened.append(Listener(address, answer))
        return opened[-1]

    yield make
    for listener in opened:
        listener.close()


def fetcher(port: int, *names: Sequence[str], **options: Any) -> RemotePictures:
    """Make a fetcher whose resolver gives ``names`` one after the other, the last again and again."""
    answers = [list(name) for name in names] or [[OUTSIDE]]

    def resolve(_: str, __: int) -> Sequence[str]:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return RemotePictures((f"{HOST}:{port}",), may_dial=OUTSIDE.__eq__, resolve=resolve, **options)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "127.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
        ),
        *("224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "fec0::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:0:0:0:0:80ff:fffe"),
        *("", "localhost", "127.1", "2130706433", "0x7f000001"),
    ],
)
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


def test_picture_comes_from_the_address_that_was_checked(listen: Callable[..., Listener]) -> None:
    outside = listen(OUTSIDE, says(b"picture"))
    assert fetcher(outside.port).fetch(f"http://{HOST}:{outside.port}/a.png?b#c") == b"picture"
    (request,) = outside.requests
    assert request.startswith(b"GET /a.png?b HTTP/1.1\r\n")
    assert f"Host: {HOST}:{outside.port}".encode() in request
    assert b"accept-encoding: identity" in request.lower()


def test_encryption_is_asked_for_by_name(listen: Callable[..., Listener]) -> None:
    outside = listen(OUTSIDE)
    with pytest.raises(PictureError, match="cannot be fetched"):
        fetcher(outside.port).fetch(f"https://{HOST}:{outside.port}/a.png")
    assert HOST.encode() in outside.requests[0]  # the server's name in the ClientHello


def test_nothing_is_fetched_by_default(listen: Callable[..., Listener]) -> None:
    inside = listen(INSIDE)
    with pytest.raises(InputError, match="not fetched from the network"):
        RemotePictures().fetch(f"http://127.0.0.1:{inside.port}/")
    assert inside.requests == []


@pytest.mark.parametrize(
    "written",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "localhost"],
)
def test_no_way_of_writing_reaches_loopback(listen: Callable[..., Listener], written: str) -> None:
    inside = listen(INSIDE)
    url = f"http://{written}:{inside.port}/"
    with pytest.raises(InputError, match="not fetched from this host"):
        RemotePictures((HOST,)).fetch(url)
    # Even if the operator allows the name, by the system's own resolver.
    with pytest.raises(KandongError) as caught:
        RemotePictures((f"{written}:{inside.port}",)).fetch(url)
    assert isinstance(caught.value, InputError)
    assert inside.requests == []


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://2852039166/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://user@pictures.example/",
        "",
        "//127.0.0.1/",
    ],
)
def test_redirects_are_checked_anew(listen: Callable[..., Listener], target: str) -> None:
    outside = listen(OUTSIDE, says(b"", "302 Found", f"Location: {target}\r\n"))
    with pytest.raises(InputError):
        fetcher(outside.port).fetch(f"http://{HOST}:{outside.port}/")
    # An empty target is the same address again.
    assert len(outside.requests) == (4 if target == "" else 1)


def test_name_that_is_bound_again_gains_nothing(listen: Callable[..., Listener]) -> None:
    inside = listen(INSIDE)
    outside = listen(OUTSIDE, says(b"", "302 Found", "Location: /again\r\n"))
    same = RemotePictures((HOST, f"{HOST}:{outside.port}"))
    assert same.hosts  # the second answer of the resolver is the private one
    with pytest.raises(InputError, match="open internet"):
        fetcher(outside.port, [OUTSIDE], [INSIDE]).fetch(f"http://{HOST}:{outside.port}/")
    assert (len(outside.requests), len(inside.requests)) == (1, 0)


def test_one_private_address_of_a_name_is_enough_to_refuse_it(listen: Callable[..., Listener]) -> None:
    outside = listen(OUTSIDE)
    for addresses in ([OUTSIDE, INSIDE], [INSIDE, OUTSIDE], [OUTSIDE, "10.0.0.1"]):
        with pytest.raises(InputError, match="open internet"):
            fetcher(outside.port, addresses).fetch(f"http://{HOST}:{outside.port}/")
    assert outside.requests == []


@pytest.mark.parametrize(
    ("allowed", "host", "is_allowed"),
    [
        ("example.com", "example.com", True),
        ("example.com", "EXAMPLE.com.", True),
        ("example.com", "a.example.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "evilexample.com", False),
        ("example.com", "example.com.evil", False),
        ("example.com", "example.com:8080", False),
        ("example.com:8080", "example.com:8080", True),
        ("example.com:8080", "example.com", False),
    ],
)
def test_allowed_hosts(allowed: str, host: str, is_allowed: bool) -> None:
    asked: list[str] = []

    def resolve(name: str, _: int) -> Sequence[str]:
        asked.append(name)
        return [INSIDE]

    with pytest.raises(InputError):
        RemotePictures((allowed,), resolve=resolve).fetch(f"http://{host}/a.png")
    assert bool(asked) == is_allowed


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (says(b"x" * 5000), PictureLimitError, "more than 4096 bytes"),
        (says(b"", "404 Not Found"), PictureError, "HTTP 404"),
        (says(b"x", "200 OK", "Content-Encoding: gzip\r\n"), PictureError, "packed"),
        (lambda connection: connection.sendall(b"nonsense\r\n\r\n"), PictureError, "cannot be fetched"),
        (lambda _: None, PictureError, "cannot be fetched"),
        (lambda _: time.sleep(3), PictureError, "cannot be fetched"),
        (says(b"", "302 Found", "Location: /on\r\n"), InputError, "more than 3 times"),
    ],
)
def test_what_servers_may_send_is_bounded(
    listen: Callable[..., Listener], answer: Callable[[socket.socket], None], error: type[KandongError], words: str
) -> None:
    outside = listen(OUTSIDE, answer)
    with pytest.raises(error, match=words):
        fetcher(outside.port, max_bytes=4096, total_s=2.0).fetch(f"http://{HOST}:{outside.port}/")


def test_server_that_drips_is_left_in_time(listen: Callable[..., Listener]) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(40):
            connection.sendall(b"x")
            time.sleep(0.1)

    outside = listen(OUTSIDE, drip)
    started = time.monotonic()
    with pytest.raises(PictureError, match="cannot be fetched"):
        fetcher(outside.port, total_s=0.5).fetch(f"http://{HOST}:{outside.port}/")
    assert time.monotonic() - started < 2.0


def test_resolver_that_hangs_is_left_in_time() -> None:
    def resolve(_: str, __: int) -> Sequence[str]:
        time.sleep(2)
        return [OUTSIDE]

    with pytest.raises(PictureError, match="cannot be fetched"):
        RemotePictures((HOST,), resolve=resolve, total_s=0.3).fetch(f"http://{HOST}/")


@pytest.mark.parametrize(
    "url", ["http://", "http://a b/", "http:///x", "http://\x00/", "http://ä.example/", "http://pictures.example:99999/",
            "http://pictures.example\\@127.0.0.1/", "http://u:p@pictures.example/", "http://" + "a" * 3000]
)  # fmt: skip
def test_odd_addresses_are_refused_unresolved(url: str) -> None:
    def resolve(_: str, __: int) -> Sequence[str]:
        raise AssertionError("was resolved")

    with pytest.raises(InputError):
        RemotePictures((HOST, "*.example"), resolve=resolve).fetch(url)


@pytest.fixture
def inside(listen: Callable[..., Listener]) -> Listener:
    """The private network, which the operator has allowed by mistake."""
    return listen(INSIDE)


@pytest.fixture
def settings(settings: Settings, inside: Listener) -> Settings:
    hosts = ("127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "localhost")
    return replace(settings, remote_hosts=tuple(f"{host}:{inside.port}" for host in hosts))


def test_even_an_allowed_private_host_is_not_reached_through_the_api(client: FlaskClient, inside: Listener) -> None:
    for host in ("127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"):
        url = f"http://{host}:{inside.port}/a.png"
        error = refusal(client, 400, image(url), "？")
        assert "open internet" in error["message"]
        assert error["param"] == "messages[0].content[0].image_url.url"
        assert client.post(URL, json={"image": url, "query": "？"}, buffered=True).status_code == 400
    assert inside.requests == []
