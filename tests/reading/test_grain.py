"""Grain: what continues a line in a noisy picture is found, and rules are no text."""

from __future__ import annotations

import numpy as np
import pytest

from kandong.reading.columns import FoundLine
from kandong.reading.images import load_picture
from kandong.reading.lines import _is_text
from kandong.reading.ocr import without_grain
from kandong.reading.pieces import grown_quad
from kandong.reading.quads import Rgb
from kandong.reading.recogniser import RawCharacter, RawLine
from tests.reading.test_reader import SAMPLE


def noisy(rgb: Rgb, sigma: float) -> Rgb:
    worn = rgb * 0.5 + np.random.default_rng(3).normal(0, sigma, rgb.shape)
    return np.clip(worn, 0, 255).astype(np.uint8)


def bars(width: int = 600) -> Rgb:
    """Glyph-like blocks of 20 px, 8 px apart, from x = 40 on, in rows 20 to 50."""
    rgb = np.full((70, width, 3), 255, dtype=np.uint8)
    for x in range(40, 400, 28):
        rgb[25:45, x : x + 20] = 40
    return rgb


def test_only_noisy_pictures_are_softened() -> None:
    clean = load_picture(SAMPLE).rgb
    assert without_grain(clean) is clean
    soft = without_grain(noisy(clean, 40))
    assert soft.shape == clean.shape
    assert soft.std() < noisy(clean, 40).std()
    assert without_grain(clean[:2, :2]).shape == (2, 2, 3)


def test_a_line_cut_short_in_grain_is_lengthened_to_its_end() -> None:
    quad = np.array([[36, 20], [236, 20], [236, 50], [36, 50]], dtype=np.float32)
    page = noisy(bars(), 45)
    assert grown_quad(page, quad, (30.0, 300.0)) is None  # grain counts as ink without end
    grown = grown_quad(without_grain(page), quad, (30.0, 300.0))
    assert grown is not None
    assert 392 <= grown[1, 0] <= 415


@pytest.mark.parametrize(
    ("text", "conf", "expected"),
    [
        ("ーーーーーー", 0.97, False),
        ("———", 0.97, False),
        ("一二一", 0.97, True),
        ("一", 0.97, True),
        ("はーとーーーーーーのにーーーにのーー", 0.32, False),  # a border in grain
        ("スーパーカー", 0.97, True),
        ("一元一袋", 0.45, True),
    ],
)
def test_a_rule_is_no_text(text: str, conf: float, expected: bool) -> None:
    raw = RawLine(tuple(RawCharacter(c, conf, (i + 0.5) / len(text), "", 0.0) for i, c in enumerate(text)))
    quad = np.array([[0, 0], [90, 0], [90, 30], [0, 30]], dtype=np.float32)
    assert _is_text(FoundLine(raw, quad)) is expected
