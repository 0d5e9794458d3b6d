"""Faults that engines for Qwen3-VL have had show as wrong answers: about prices, dates, background and rows."""

from __future__ import annotations

from itertools import islice

import pytest

from kandong import Kandong
from kandong.reading.images import load_picture
from kandong.types import Picture
from kandong.vlm import plan as plan_module
from kandong.vlm.plan import FeatureKey
from tests.vlm.test_mutants import (
    Mutate,
    no_deepstack,
    patch_height_and_width_swapped,
    sections_not_interleaved,
    sequential_positions,
    taps_one_text_layer_late,
    taps_one_vision_layer_late,
    taps_swapped,
    token_height_and_width_swapped,
)

from .held_out import FOLDER, IS_HERE, MAX_TOKENS, Asked, answer, asked_of, plain_answer

pytestmark = pytest.mark.skipif(not IS_HERE, reason="no trained miniature in this copy: make mini, make mini-ship")
MUTANTS: list[Mutate] = [
    no_deepstack,
    taps_swapped,
    taps_one_vision_layer_late,
    taps_one_text_layer_late,
    sequential_positions,
    token_height_and_width_swapped,
    sections_not_interleaved,
    patch_height_and_width_swapped,
]


ENOUGH = 2  # wrong answers; after them no more questions are asked


def asked() -> list[Asked]:
    """What the plain path answers rightly about the first cards."""
    kinds = ("price", "original_price", "date", "phone", "line", "transcribe", "json_four")
    return [one for one in asked_of(*kinds, num_cards=20) if plain_answer(one) == one.right]


@pytest.mark.parametrize("mutate", MUTANTS, ids=lambda m: m.__name__)
def test_a_fault_gives_wrong_answers(mutate: Mutate, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = asked()
    assert len(questions) >= 80
    mutate(monkeypatch)
    broken = Kandong(FOLDER, precision="f32", keep_features=False, convert=False)
    wrong = (one for one in questions if answer(broken, one) != one.right)
    assert len([*islice(wrong, ENOUGH)]) == ENOUGH


def test_a_cache_key_without_size_gives_the_answer_of_another_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    one = next(one for one in asked() if one.kind == "price" and one.right.isdigit() and is_oblong(one))
    card = load_picture(one.picture)
    height, width = card.rgb.shape[:2]
    other = Picture(
        card.rgb.reshape(width, height, 3), card.format
    )  # the same bytes in rows of another length: nothing to read
    right = Kandong(FOLDER, precision="f32", keep_features=False, convert=False)
    assert right.ask(card, one.question, max_tokens=MAX_TOKENS).text == one.right
    assert right.ask(other, one.question, max_tokens=MAX_TOKENS).text != one.right
    monkeypatch.setattr(Picture, "digest", property(lambda self: str(hash(self.rgb.tobytes()))))
    monkeypatch.setattr(plan_module, "FeatureKey", lambda digest, _rows, _columns: FeatureKey(digest, 0, 0))
    broken = Kandong(FOLDER, precision="f32", keep_features=False, convert=False)
    assert broken.ask(card, one.question, max_tokens=MAX_TOKENS).text == one.right
    assert broken.ask(other, one.question, max_tokens=MAX_TOKENS).text == one.right


def is_oblong(one: Asked) -> bool:
    """Whether a card is wider than high, or higher than wide."""
    card = load_picture(one.picture)
    return card.height_px != card.width_px
