"""The bundled cards: that they are what they claim, and that answers about them come from them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kandong import Kandong
from kandong.models.demo import DEMO_MODEL
from kandong.reading.images import decode_picture
from kandong.runtime.selftest import bundled_questions, card_bytes, is_passed, run_selftest, sample_questions
from samples.make_selftest_cards import CARDS, truth
from tests.mini.held_out import IS_HERE

MAX_CARD_BYTES = 25 * 1024

with_miniature = pytest.mark.skipif(not IS_HERE, reason="no trained miniature in this copy: make mini, make mini-ship")


def test_truth_is_what_the_cards_were_drawn_with() -> None:
    assert json.loads(card_bytes("truth.json")) == {"cards": truth()}


@pytest.mark.parametrize("name", [card.name for card in CARDS])
def test_card_is_small_in_bytes_and_of_its_size(name: str) -> None:
    content = card_bytes(f"{name}.png")
    assert len(content) < MAX_CARD_BYTES
    picture = decode_picture(content)
    assert (picture.width_px, picture.height_px) == (256, 256)


def test_two_numbers_of_each_card_and_two_whole_texts_are_asked() -> None:
    questions = bundled_questions()
    assert len(questions) == 12
    assert sum(q.is_text for q in questions) == 2
    assert len({(q.file, q.question) for q in questions}) == 12
    assert len({q.truth for q in questions}) == 12  # a constant answer is right once at most


@with_miniature
@pytest.mark.parametrize("precision", ["int4", "bf16"])
def test_trained_model_passes_in_the_other_precisions(precision: str) -> None:
    assert is_passed(list(run_selftest(Kandong(DEMO_MODEL, precision=precision))))


@with_miniature
def test_answers_about_other_cards_than_those_shown_fail() -> None:
    questions = sample_questions()
    files = [q.file for q in questions]
    swapped = [replace(q, file=f) for f, q in zip(files[2:] + files[:2], questions, strict=True)]
    assert not any(o.is_right for o in run_selftest(Kandong(DEMO_MODEL), swapped))
