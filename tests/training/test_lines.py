"""Worn lines of the training: the same again for the same seed, sharp and worn in one place, none of them held out."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from bench.cards.fonts import FontMissingError
from kandong.reading.recogniser import LINE_HEIGHT_PX
from training.lines import evaluate, sheets, wear, wording

SMALL = wording.Corpus(
    comments=["东西收到了，包装很好，下次还会再来。", "质量一般，物流倒是挺快的！"],
    news=["本报讯记者从会上获悉，今年第一季度全市新增商铺三百余家。"],
    words=["超市", "优惠", "下单", "便宜"],
    chances=np.cumsum([4.0, 3.0, 2.0, 1.0]),
)


@pytest.fixture(autouse=True)
def small_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one comes with a package that only the training installs."""
    monkeypatch.setattr(wording, "corpus", lambda: SMALL)


def crops_or_skip(seed: int) -> list[wear.Crop]:
    try:
        return wear.sheet_crops(seed)
    except FontMissingError as error:
        pytest.skip(str(error))


def test_texts_hold_only_what_the_recogniser_can_name_and_no_doubled_spaces() -> None:
    rng = Random(5)
    texts = [wording.line_text(rng) for _ in range(600)]
    known = wording._alphabet() | {" "}
    assert all(set(text) <= known for text in texts)
    assert all("  " not in text and text == text.strip() for text in texts)
    assert sum(any(c.isdigit() for c in text) for text in texts) > 100
    assert sum("\u4e00" <= c <= "\u9fff" for text in texts for c in text) > 3000


def test_a_seed_gives_the_same_crops_again_and_another_seed_others() -> None:
    first, again, other = crops_or_skip(1_000_000), crops_or_skip(1_000_000), crops_or_skip(1_000_001)
    assert [(c.text, c.way) for c in first] == [(c.text, c.way) for c in again]
    assert all((a.pixels == b.pixels).all() for a, b in zip(first, again, strict=True))
    assert [c.text for c in first] != [c.text for c in other]


def test_crops_have_the_height_that_is_read_and_hold_their_ink() -> None:
    crops = [crop for seed in range(90) for crop in crops_or_skip(seed)]
    assert {crop.way for crop in crops} == set(wear.WAYS)
    for crop in crops:
        height, width, _ = crop.pixels.shape
        assert height == LINE_HEIGHT_PX
        assert 0 < width <= wear.MAX_WIDTH_PX
        assert crop.text
    # Of text and paper there are two shades at least, also where wear took most of it.
    assert np.median([float(crop.pixels.std()) for crop in crops]) > 15


@pytest.mark.parametrize("way", ["plain", "turned"])
def test_a_lines_place_is_followed_through_the_wear(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark on the sheet lies where its point was said to go."""
    monkeypatch.setattr(wear, "_TURNED_SHARE", float(way == "turned"))
    monkeypatch.setattr(wear, "_SHARES", [0, 0, 0, 0, 1])
    for seed in range(5):
        paper = Image.new("RGB", (600, 400), "white")
        paper.paste((0, 0, 0), (430, 300, 442, 312))
        worn, move, _ = wear._worn(Random(seed), np.random.default_rng(seed), paper, 12)
        rows, columns = np.nonzero(np.asarray(worn.convert("L")) < 100)
        assert np.allclose(move(436, 306), (columns.mean() + 0.5, rows.mean() + 0.5), atol=1.5)


def last_seed() -> int:
    """Give a bound of the seeds of a training, read from its source, as torch is not installed where tests run."""
    source = (Path(wear.__file__).parent / "run.py").read_text(encoding="utf-8")
    cycles = re.findall(r"Cycle\(\d, (\d+), [\de.-]+, ([\d_]+)\)", source)
    assert len(cycles) == 2
    # A step sees about 27 lines, a sheet has about 9.
    ends = [int(first) + int(num_steps) * 27 // 9 for num_steps, first in cycles]
    assert ends[0] < int(cycles[1][1])  # no cycle sees sheets of another
    return max(ends)


def test_sheets_that_are_measured_on_are_none_of_the_training() -> None:
    assert last_seed() < evaluate.HELD_OUT_SEED


def test_lines_of_a_sheet_lie_within_it_one_under_the_other() -> None:
    for seed in range(12):
        try:
            image, lines = sheets.draw_sheet(Random(seed), np.random.default_rng(seed))
        except FontMissingError as error:
            pytest.skip(str(error))
        assert lines
        for line in lines:
            assert 0 <= line.y0 < line.y1 <= image.height
            assert -line.size_px < line.x0 < line.x1 <= image.width + line.size_px
        tops = [line.y0 for line in lines]
        assert tops == sorted(tops)
