"""The second look: only at unsure text, and never for less of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import numpy as np

from kandong.reading.columns import FoundLine
from kandong.reading.ocr import Ocr
from kandong.reading.quads import Rgb
from kandong.reading.recogniser import RawCharacter, RawLine
from kandong.reading.second_look import MAX_SECOND_LOOKS, look_again

CROP = np.zeros((20, 60, 3), dtype=np.uint8)
QUAD = np.array([[0, 0], [60, 0], [60, 20], [0, 20]], dtype=np.float32)


def raw(text: str, conf: float) -> RawLine:
    return RawLine(tuple(RawCharacter(c, conf, (i + 0.5) / len(text), "", 0.0) for i, c in enumerate(text)))


class Scripted:
    """Stands for the recogniser: gives the same reading of every crop, and counts them."""

    def __init__(self, answer: RawLine) -> None:
        self.answer = answer
        self.num_read = self.num_calls = 0

    def read_worn(self, crops: Iterable[Rgb]) -> list[RawLine]:
        self.num_calls += 1
        answers = [self.answer for _ in crops]
        self.num_read += len(answers)
        return answers


def looked(lines: list[FoundLine], scripted: Scripted) -> list[str]:
    found = look_again(lines, [CROP] * len(lines), cast(Ocr, scripted), is_text=lambda line: line.raw.conf >= 0.3)
    return [line.raw.text for line in found]


def test_only_unsure_text_is_looked_at_again() -> None:
    lines = [FoundLine(raw(text, conf), QUAD) for text, conf in (("甲甲", 0.99), ("乙乙", 0.6), ("丙丙", 0.2))]
    scripted = Scripted(raw("丁丁", 0.5))
    assert looked(lines, scripted) == ["甲甲", "丁丁", "丙丙"]
    assert scripted.num_read == 2


def test_a_drawing_becomes_text_only_by_several_chinese_characters_in_a_box_that_is_sure() -> None:
    drawing = FoundLine(raw("丙", 0.2), QUAD)
    sentence, letters = raw("图片仅供参考", 0.4), raw("OMNO12", 0.9)
    assert looked([drawing], Scripted(sentence)) == ["图片仅供参考"]
    assert looked([drawing], Scripted(letters)) == ["丙"]
    assert looked([drawing], Scripted(raw("图片仅", 0.9))) == ["丙"]
    assert looked([drawing], Scripted(raw("图片仅供参考", 0.2))) == ["丙"]
    weak = Scripted(sentence)
    assert looked([replace(drawing, is_weak=True)], weak) == ["丙"]
    square = Scripted(sentence)
    assert looked([replace(drawing, quad=QUAD * np.array([1, 3], dtype=np.float32))], square) == ["丙"]
    assert weak.num_read == square.num_read == 0


def test_sharp_pictures_open_no_weights_for_worn_lines() -> None:
    scripted = Scripted(raw("丁丁", 0.5))
    assert looked([FoundLine(raw("甲甲", 0.99), QUAD)], scripted) == ["甲甲"]
    assert looked([], scripted) == []
    assert scripted.num_calls == 0


def test_no_second_look_takes_text_away() -> None:
    lines = [FoundLine(raw("乙乙", 0.6), QUAD)]
    assert looked(lines, Scripted(raw("丁丁", 0.2))) == ["乙乙"]
    assert looked(lines, Scripted(RawLine(()))) == ["乙乙"]


def test_the_number_of_second_looks_is_bounded_and_the_least_sure_come_first() -> None:
    lines = [FoundLine(raw("乙乙", 0.8), QUAD) for _ in range(MAX_SECOND_LOOKS)] + [FoundLine(raw("丙丙", 0.4), QUAD)]
    scripted = Scripted(raw("丁丁", 0.9))
    texts = looked(lines, scripted)
    assert scripted.num_read == MAX_SECOND_LOOKS
    assert texts[-1] == "丁丁"
    assert texts.count("乙乙") == 1


def test_drawings_take_no_second_look_from_text() -> None:
    lines = [FoundLine(raw("丙", 0.1), QUAD) for _ in range(MAX_SECOND_LOOKS)] + [FoundLine(raw("乙乙", 0.8), QUAD)]
    assert looked(lines, Scripted(raw("图片仅供参考", 0.9))).count("丙") == 1
    assert looked(lines, Scripted(raw("图片仅供参考", 0.9)))[-1] == "图片仅供参考"
