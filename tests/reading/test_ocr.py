"""PP-OCR's graphs: opened without network or noise."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from kandong.errors import ModelError
from kandong.reading import ocr as module
from kandong.reading.images import load_picture
from kandong.reading.ocr import Ocr, shared_ocr

SAMPLE = Path(__file__).resolve().parent.parent.parent / "samples" / "card.png"


def refuse(*_: object) -> NoReturn:
    raise AssertionError("the network was tried")


def test_opening_tries_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    ocr = Ocr()
    assert len(ocr.detect(load_picture(SAMPLE).rgb)) == 5


def test_reading_writes_nothing_to_stdout_or_stderr() -> None:
    code = (
        "from pathlib import Path; from kandong.reading.images import load_picture;"
        "from kandong.reading.reader import read_picture;"
        f"assert len(read_picture(load_picture(Path({str(SAMPLE)!r}))).lines) == 5"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


def test_missing_weights_are_an_error_and_not_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module._WEIGHTS, "Rec", "not_there.onnx")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ModelError, match=r"not_there\.onnx") as caught:
        Ocr()
    assert "pip install" in (caught.value.hint or "")


def test_there_is_one_instance_a_process() -> None:
    assert shared_ocr() is shared_ocr()


def test_noise_is_measured_and_text_is_no_noise() -> None:
    card = load_picture(SAMPLE).rgb
    gray = card.mean(axis=2).astype(np.uint8)
    assert module._noise_of(gray) < 1
    rng = np.random.default_rng(3)
    for sigma in (10, 20):
        noisy = np.clip(128 + rng.normal(0, sigma, (400, 300)), 0, 255).astype(np.uint8)
        assert module._noise_of(noisy) == pytest.approx(sigma, rel=0.1)


def test_a_noisy_dim_picture_is_evened_and_any_other_left_as_it_is() -> None:
    card = load_picture(SAMPLE).rgb
    assert module._restored(card) is card
    rng = np.random.default_rng(3)
    large = np.asarray(card).repeat(3, axis=0).repeat(3, axis=1)
    dim = np.clip(large * 0.4 + rng.normal(0, 20, large.shape), 0, 255).astype(np.uint8)
    evened = module._restored(dim)
    assert evened.shape == dim.shape
    assert evened.dtype == np.uint8
    assert evened.mean() > dim.mean() + 20  # the light of the middle
    assert len(shared_ocr().detect(dim)) == 5
