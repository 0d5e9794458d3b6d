"""Cards say what their truth says, and what is kept apart for measuring is never trained."""

from __future__ import annotations

import json
from random import Random

import numpy as np
import pytest
from tokenizers import Tokenizer

from bench.cards.fonts import FontMissingError, font
from training import cards, questions, tokens, wording
from training.glyphs import CELL_PX, halves, places

try:
    font("sans", 26)
except FontMissingError as error:
    pytest.skip(str(error), allow_module_level=True)

STYLES = (cards.TRAINED, cards.HELD_OUT, cards.NEW_FACE, cards.TIGHT, cards.SCATTERED)


def some_cards(style: cards.Style, count: int = 60) -> list[cards.Card]:
    rng = Random(3)
    return [cards.draw_card(rng, style, is_random=i % 5 == 0) for i in range(count)]


@pytest.mark.parametrize("style", STYLES)
def test_rows_lie_within_the_card_and_one_under_the_other(style: cards.Style) -> None:
    for card in some_cards(style):
        assert card.picture.shape == (card.rows * CELL_PX, card.columns * CELL_PX, 3)
        rows = [line.row for line in card.lines]
        assert rows == sorted(set(rows))
        assert rows[-1] < card.rows
        for line in card.lines:
            ends = [line.start_half + at + halves(sign) for sign, at in zip(line.text, line.places, strict=True)]
            assert max(ends) <= 2 * card.columns


def test_no_chinese_glyph_lies_across_two_cells_but_in_tight_rows() -> None:
    assert places("满300减50") == [0, 2, 3, 4, 6, 8, 9, 10]
    assert places("满300减50", is_tight=True) == [0, 2, 3, 4, 5, 7, 8, 9]
    for card in some_cards(cards.HELD_OUT):
        for line in card.lines:
            wide = [line.start_half + at for sign, at in zip(line.text, line.places, strict=True) if halves(sign) == 2]
            assert all(at % 2 == 0 for at in wide)


def test_ink_is_where_glyphs_are() -> None:
    style = cards.Style(((8, 8),), (28,), ("sans-bold",), is_held_out=True, grain=1.0)
    for card in some_cards(style, 20):
        written = {line.row for line in card.lines}
        gray = card.picture.astype(np.float32).mean(axis=2)
        for row in range(card.rows):
            # Neighbouring rows may reach over the edge by a pixel or two.
            middle = gray[row * CELL_PX + 8 : (row + 1) * CELL_PX - 8]
            assert (np.ptp(middle) > 30) == (row in written)


def test_fields_are_written_on_the_card_and_questions_answered_by_them() -> None:
    rng = Random(5)
    for card in some_cards(cards.HELD_OUT):
        for name, value in card.fields.items():
            assert value is None or value in card.text
            asked = questions.about(card, name, rng)
            assert asked.answer == (value or wording.ABSENT)
            assert asked.is_absent == (value is None)
        record = json.loads(questions.about(card, "json_four", rng).answer)
        assert record == {"价格": card.fields.get("price"), "原价": card.fields.get("original_price"),
                          "时间": card.fields.get("date"), "电话": card.fields.get("phone")}  # fmt: skip
        assert questions.about(card, "transcribe", rng).answer == card.text


@pytest.mark.parametrize(("style", "is_apart"), [(cards.TRAINED, False), (cards.HELD_OUT, True)])
def test_amounts_dates_and_numbers_of_measuring_are_not_trained(style: cards.Style, is_apart: bool) -> None:
    for card in some_cards(style, 200):
        for name in ("price", "original_price", "date", "phone", "threshold"):
            value = card.fields.get(name)
            assert value is None or cards.is_kept_apart(value) == is_apart
    assert not set(cards.HELD_OUT.shapes) & set(cards.TRAINED.shapes)
    assert not set(cards.HELD_OUT.sizes_px) & set(cards.TRAINED.sizes_px)


def test_a_seed_draws_the_same_card() -> None:
    one, other = (cards.draw_card(Random(11), cards.HELD_OUT) for _ in range(2))
    assert one.text == other.text
    assert np.array_equal(one.picture, other.picture)


def test_the_tokenizer_file_says_what_training_encodes() -> None:
    tokenizer = Tokenizer.from_str(json.dumps(tokens.tokenizer_json()))
    for text in ["价格是多少？", '{"价格":"39.7","原价":null}', "￥¥×：", "☃ 不认识的字：龘\n"]:
        ids = tokenizer.encode(text).ids
        assert ids == tokens.encode(text)
        assert tokenizer.decode(ids) == text
    every = wording.TRANSCRIBE + wording.JSON_FOUR + tuple(wording.FURTHER.values())
    assert all(len(tokens.encode(text)) == len(text) for text in every)
