"""QR and bar codes: found, placed, bounded; hosts named and never fetched."""

from __future__ import annotations

import socket
import time
from typing import Any, NoReturn

import cv2
import numpy as np
import pytest
import zxingcpp

from kandong.reading.codes import MAX_CODES, find_codes, host_of
from kandong.reading.quads import Rgb


def drawn(text: str, kind: Any = zxingcpp.BarcodeFormat.QRCode, scale: int = 4) -> Rgb:
    gray = np.array(zxingcpp.create_barcode(text, kind).to_image(scale=scale))
    gray = np.pad(gray, 4 * scale, constant_values=255)
    return np.repeat(gray[..., None], 3, axis=2)


def placed(canvas: Rgb, code: Rgb, x: int, y: int) -> None:
    canvas[y : y + code.shape[0], x : x + code.shape[1]] = code


def test_a_qr_code_is_found_with_its_place_and_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a code was followed")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    canvas = np.full((900, 700, 3), 230, dtype=np.uint8)
    code = drawn("https://Shop.Example.com/q?id=1")
    placed(canvas, code, 300, 500)
    [found], has_more = find_codes(canvas)
    assert (found.type, found.text, found.host) == ("QRCode", "https://Shop.Example.com/q?id=1", "shop.example.com")
    assert not has_more
    x0, y0, x1, y1 = found.box
    assert 300 <= x0 < x1 <= 300 + code.shape[1]
    assert 500 <= y0 < y1 <= 500 + code.shape[0]


def test_bar_codes_and_turned_codes_are_found() -> None:
    canvas = np.full((700, 900, 3), 255, dtype=np.uint8)
    placed(canvas, drawn("4006381333931", zxingcpp.BarcodeFormat.EAN13, 3), 30, 30)
    placed(canvas, np.ascontiguousarray(np.rot90(drawn("weixin://abc"))), 500, 400)
    codes, _ = find_codes(canvas)
    assert [(c.type, c.text, c.host) for c in codes] == [
        ("EAN13", "4006381333931", None),
        ("QRCode", "weixin://abc", None),
    ]


def test_a_code_at_the_seam_of_two_bands_is_given_once_and_equal_codes_apart_twice() -> None:
    canvas = np.full((12_000, 1080, 3), 255, dtype=np.uint8)
    code = drawn("https://example.org/a")
    for y in (100, 5300, 5600, 11_700):
        placed(canvas, code, 200, y)
    codes, _ = find_codes(canvas)
    assert [round(c.box[1], -2) for c in codes] == [100, 5300, 5600, 11_700]


def test_three_hundred_codes_are_cut_in_bounded_time() -> None:
    canvas = np.full((2600, 2000, 3), 255, dtype=np.uint8)
    code = drawn("x", scale=3)
    side = code.shape[0]
    places = [(x, y) for y in range(0, 2600 - side, side) for x in range(0, 2000 - side, side)][:300]
    for number, (x, y) in enumerate(places):
        placed(canvas, drawn(f"{number}", scale=3)[:side, :side], x, y)
    start = time.perf_counter()
    codes, has_more = find_codes(canvas)
    assert time.perf_counter() - start < 20
    assert len(codes) == MAX_CODES
    assert has_more


def test_noise_and_blank_pictures_have_no_codes() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    assert find_codes(cv2.resize(noise, (600, 600)).astype(np.uint8)) == ([], False)
    assert find_codes(np.zeros((1, 1, 3), dtype=np.uint8)) == ([], False)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://例子.测试/路径", "xn--fsqu00a.xn--0zwm56d"),
        ("HTTP://A.B.com:8080/x", "a.b.com"),
        ("https://user:pw@evil.example/", "evil.example"),
        ("http://[::1]/", "::1"),
        ("http://[::1", None),
        ("ftp://example.com", None),
        ("example.com/x", None),
        ("javascript:alert(1)", None),
        ("https://", None),
        ("https://" + "a" * 300 + ".com", None),
        ("", None),
    ],
)
def test_hosts(text: str, host: str | None) -> None:
    assert host_of(text) == host
