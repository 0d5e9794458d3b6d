"""A picture read from beginning to end: words, places, confidence."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import zxingcpp
from PIL import Image, ImageDraw, ImageFont

from kandong.reading import lines
from kandong.reading.images import load_picture
from kandong.reading.reader import SURE_NUMBER_CONF, read_picture, read_pictures
from kandong.types import Picture

SAMPLE = Path(__file__).resolve().parent.parent.parent / "samples" / "card.png"
WORDS = ["夏日火锅套餐", "特价：85元", "原价：120元", "活动时间7月1日", "满300减50"]


def blank(width: int, height: int, level: int = 255) -> Picture:
    return Picture(np.full((height, width, 3), level, dtype=np.uint8), "PNG")


def test_the_sample_is_read_with_places_of_lines_and_characters() -> None:
    reading = read_picture(load_picture(SAMPLE), index=3)
    assert reading.index == 3
    assert [line.text for line in reading.lines] == WORDS
    assert reading.full_text == "\n".join(WORDS)
    assert [line.id for line in reading.lines] == ["L1", "L2", "L3", "L4", "L5"]
    assert not reading.truncated
    tops = [line.box[1] for line in reading.lines]
    assert tops == sorted(tops)
    for line in reading.lines:
        assert "".join(character.text for character in line.chars) == line.text
        lefts = [character.box[0] for character in line.chars]
        assert lefts == sorted(lefts)
        assert line.box[0] - 1 <= lefts[0]
        assert line.chars[-1].box[2] <= line.box[2] + 1


def test_the_box_of_a_price_holds_its_ink() -> None:
    picture = load_picture(SAMPLE)
    line = read_picture(picture).lines[1]
    start = line.text.index("85")
    x0, y0, x1, y1 = line.box_of(start, start + 2)
    box = picture.rgb[y0:y1, x0:x1].astype(int)
    assert np.ptp(box) > 60
    assert x1 - x0 < 0.5 * (line.box[2] - line.box[0])


def test_numbers_stand_on_their_lines_and_in_their_boxes() -> None:
    reading = read_picture(load_picture(SAMPLE))
    prices = [(n.number.raw, n.line_id) for n in reading.numbers if n.number.kind == "price"]
    assert [line_id for _, line_id in prices] == ["L2", "L3"]
    assert all(amount in raw for amount, (raw, _) in zip(("85", "120"), prices, strict=True))
    for number in reading.numbers:
        line = reading.line(number.line_id)
        start, end = number.number.span
        assert line.text[start:end] == number.number.raw
        assert number.box == line.box_of(start, end)
        assert number.verified_by == (("ocr",) if number.conf >= SURE_NUMBER_CONF else ())
        assert number.conf == min(character.conf for character in line.chars[start:end])
    assert [n.verified_by for n in reading.numbers if n.number.kind == "price"] == [("ocr",), ("ocr",)]
    described = reading.to_dict()["numbers"][0]
    assert {"raw", "value", "unit", "kind", "line_id", "box", "conf", "verified_by"} <= set(described)


@pytest.mark.parametrize(("quarter_turns", "degrees"), [(0, 0), (1, 90), (2, 180), (3, 270)])
def test_a_turned_page_is_read_and_its_boxes_lie_on_the_picture_as_given(quarter_turns: int, degrees: int) -> None:
    upright = load_picture(SAMPLE)
    rgb = np.ascontiguousarray(np.rot90(upright.rgb, quarter_turns))
    reading = read_picture(Picture(rgb, "PNG"))
    assert [line.text for line in reading.lines] == WORDS
    assert reading.rotated_degrees == degrees
    first = read_picture(upright).lines[0].box
    turned = reading.lines[0].box
    is_on_side = quarter_turns % 2 == 1
    expected = (first[2] - first[0], first[3] - first[1])
    size = (turned[2] - turned[0], turned[3] - turned[1])
    assert (size[::-1] if is_on_side else size) == pytest.approx(expected, abs=8)


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (640, 480), (3, 3), (4000, 20)])
def test_pictures_without_text_have_an_empty_reading(size: tuple[int, int]) -> None:
    reading = read_picture(blank(*size))
    assert reading.lines == ()
    assert reading.codes == ()
    assert reading.full_text == ""


def test_equal_pixels_are_read_once_and_many_threads_agree() -> None:
    picture = load_picture(SAMPLE)
    results: list[object] = []

    def read() -> None:
        results.append(read_pictures([picture, picture]).to_dict())

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(result == results[0] for result in results)


def test_english_is_read_with_its_spaces() -> None:
    image = Image.new("RGB", (900, 300), "white")
    pen = ImageDraw.Draw(image)
    texts = ["GRAND OPENING SALE", "Total: $12.99 (was $25.00)"]
    for number, text in enumerate(texts):
        pen.text((40, 40 + 120 * number), text, fill="black", font=ImageFont.load_default(size=36))
    reading = read_picture(Picture(np.asarray(image), "PNG"))
    assert [line.text for line in reading.lines] == texts
    assert not any(line.low_conf for line in reading.lines)


def test_more_boxes_than_are_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_BOXES", 2)
    rgb = load_picture(SAMPLE).rgb.copy()
    rgb[0, 0] = 7  # other pixels, so that no kept reading is given
    reading = read_picture(Picture(rgb, "PNG"))
    assert [line.text for line in reading.lines] == WORDS[:2]
    assert reading.truncated


def test_letters_seen_among_the_modules_of_a_code_are_left_out() -> None:
    rgb = load_picture(SAMPLE).rgb.copy()
    code = np.array(zxingcpp.create_barcode("https://example.org/abc", zxingcpp.BarcodeFormat.QRCode).to_image(scale=4))
    canvas = np.full((rgb.shape[0] + code.shape[0] + 60, max(rgb.shape[1], code.shape[1] + 60), 3), 255, dtype=np.uint8)
    canvas[: rgb.shape[0], : rgb.shape[1]] = rgb
    canvas[rgb.shape[0] + 30 : rgb.shape[0] + 30 + code.shape[0], 30 : 30 + code.shape[1]] = code[..., None]
    reading = read_picture(Picture(canvas, "PNG"))
    assert [line.text for line in reading.lines] == WORDS
    assert [found.host for found in reading.codes] == ["example.org"]


def test_random_pixels_end_in_bounded_time_without_text() -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (1200, 800, 3), dtype=np.uint8)
    assert read_picture(Picture(rgb, "PNG")).lines == ()


def test_scribbles_end_in_bounded_time_and_no_sure_line() -> None:
    rng = np.random.default_rng(5)
    image = Image.new("L", (800, 600), 255)
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        points = np.cumsum(rng.normal(0, 18, (60, 2)), axis=0) + rng.uniform((150, 100), (650, 500))
        pen.line([(float(x), float(y)) for x, y in points], fill=40, width=4)
    start = time.perf_counter()
    reading = read_picture(Picture(np.repeat(np.asarray(image)[..., None], 3, axis=2), "PNG"))
    assert time.perf_counter() - start < 20
    assert all(line.low_conf or len(line.text) < 3 for line in reading.lines)
