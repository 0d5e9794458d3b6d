"""PP-OCR's graphs: opened without network or noise, and decoded as RapidOCR itself decodes."""

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
from kandong.reading.ocr import Ocr, _line_planes, shared_ocr
from kandong.reading.quads import crop_quad

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


def test_decoding_gives_the_text_of_rapidocrs_own_decoder() -> None:
    ocr = shared_ocr()
    rgb = load_picture(SAMPLE).rgb
    for quad in ocr.detect(rgb).quads:
        planes, used = _line_planes(crop_quad(rgb, quad))
        values = np.array(ocr._recogniser.session(planes[None]))
        [(text, conf)], _ = ocr._recogniser.postprocess_op(values)
        line = ocr._decode(values[0], used)
        assert line.text == text
        assert line.conf == pytest.approx(conf, abs=0.05)  # ours counts ￥ and ¥ as one
        centers = [c.center for c in line.characters]
        assert centers == sorted(centers)


def test_the_second_choice_is_never_the_first() -> None:
    ocr = shared_ocr()
    rgb = load_picture(SAMPLE).rgb
    for line in ocr.read([crop_quad(rgb, quad) for quad in ocr.detect(rgb).quads]):
        for character in line.characters:
            assert character.runner_up != character.text
            assert 0 <= character.runner_up_conf <= character.conf <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (300, 2), (48, 320)])
def test_crops_of_any_size_can_be_read(size: tuple[int, int]) -> None:
    [line] = shared_ocr().read([np.full((*size, 3), 255, dtype=np.uint8)])
    assert line.text.strip() == ""


def test_there_is_one_instance_a_process() -> None:
    assert shared_ocr() is shared_ocr()
