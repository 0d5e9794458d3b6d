"""A picture read from beginning to end: words, places, confidence."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from kandong.reading.images import load_picture
from kandong.reading.reader import read_picture, read_pictures
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
