"""What the truth of a card says is in its pixels, and a seed gives the same card again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.cards import fonts
from bench.cards.fonts import FontMissingError, font
from bench.cards.make import KINDS, make_card, make_cards, write_cards
from bench.cards.phrases import PROMOTIONS, SERVICE, join, number
from bench.cards.sheet import Sheet, Style, wrapped
from bench.cards.truth import Card, Phrase, TrueLine
from bench.cards.wear import turned

try:
    font("sans", 16)
except FontMissingError as error:
    pytest.skip(str(error), allow_module_level=True)

SHORT_KINDS = tuple(kind for kind in KINDS if kind != "long")


@pytest.fixture(scope="module")
def cards() -> dict[str, Card]:
    return {kind: make_card(kind, 3) for kind in KINDS}


def inside(card: Card, line: TrueLine) -> NDArray[np.int16]:
    x0, y0, x1, y1 = line.box
    return np.asarray(card.image.convert("L"), np.int16)[max(y0, 0) : y1, max(x0, 0) : x1]


def spread(values: NDArray[np.int16]) -> int:
    return int(np.percentile(values, 98) - np.percentile(values, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_every_box_holds_ink(cards: dict[str, Card], kind: str) -> None:
    card = cards[kind]
    assert len(card.lines) >= 5
    for line in card.lines:
        # Dim photographs of faint small print keep at least this much contrast; an empty ground has none.
        assert spread(inside(card, line)) >= 12, line.text


@pytest.mark.parametrize("kind", ["poster", "chat", "small_print", "two_columns", "faint"])
def test_nothing_is_written_outside_of_the_boxes(kind: str) -> None:
    blank = make_card(kind, 5)
    pixels = np.asarray(blank.image, np.int16).copy()
    struck_out = np.zeros(pixels.shape[:2], bool)
    for quad, margin in [(line.quad, 3) for line in blank.lines] + [(code.quad, 40) for code in blank.codes]:
        xs, ys = zip(*quad, strict=True)
        struck_out[int(min(ys)) - margin : int(max(ys)) + margin, int(min(xs)) - margin : int(max(xs)) + margin] = True
    across = np.abs(np.diff(pixels, axis=1)).max(axis=2)
    # Type has edges of a single pixel; gradients and blurred photographs have not. Bubbles and avatars are few edges.
    edges = (across > 60) & ~struck_out[:, 1:]
    assert edges.mean() < (0.004 if kind == "chat" else 0.0002)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_bytes_and_another_seed_others(kind: str) -> None:
    def digest(card: Card) -> str:
        return hashlib.sha256(card.image.tobytes() + json.dumps(card.to_dict()).encode()).hexdigest()

    first = digest(make_card(kind, 7))
    assert digest(make_card(kind, 7)) == first
    assert digest(make_card(kind, 8)) != first


def test_lines_of_a_card_do_not_overlap(cards: dict[str, Card]) -> None:
    for card in cards.values():
        if card.kind == "rotated":
            continue  # upright boxes around turned lines may touch
        boxes = [line.box for line in card.lines]
        for i, (ax0, ay0, ax1, ay1) in enumerate(boxes):
            for bx0, by0, bx1, by1 in boxes[:i]:
                assert min(ax1, bx1) <= max(ax0, bx0) or min(ay1, by1) <= max(ay0, by0), card.name


def test_spans_of_numbers_lie_in_their_lines() -> None:
    for card in make_cards(len(SHORT_KINDS) * 2, seed=2, kinds=SHORT_KINDS):
        for line in card.lines:
            for n in line.numbers:
                assert 0 <= n.start < n.end <= len(line.text)
                assert line.text[n.start : n.end].strip() == line.text[n.start : n.end]


@pytest.mark.parametrize("degrees_seed", [1, 2, 3])
def test_points_turn_with_the_picture(degrees_seed: int) -> None:
    image = Image.new("RGB", (400, 600), (255, 255, 255))
    image.paste((0, 0, 0), (300, 100, 340, 120))
    line = TrueLine(0, "x", ((300, 100), (340, 100), (340, 120), (300, 120)), 0, 20)
    card = turned(Card("test", 0, image, (line,)), Random(degrees_seed))
    xs, ys = zip(*card.lines[0].quad, strict=True)
    dark_y, dark_x = np.nonzero(np.asarray(card.image.convert("L")) < 100)
    assert abs(dark_x.mean() - sum(xs) / 4) < 1
    assert abs(dark_y.mean() - sum(ys) / 4) < 1
    assert 1 <= abs(card.wear["turn_degrees"]) <= 5


def test_two_columns_and_tables_say_their_columns(cards: dict[str, Card]) -> None:
    assert {line.column for line in cards["two_columns"].lines} == {0, 1}
    assert {line.column for line in cards["table"].lines} == {0, 1, 2, 3}
    left = [line.order for line in cards["two_columns"].lines if line.column == 0][1:-1]
    assert max(left) < min(line.order for line in cards["two_columns"].lines if line.column == 1)


def test_hard_kinds_are_what_they_are_called(cards: dict[str, Card]) -> None:
    assert sum(line.size_px == 14 for line in cards["small_print"].lines) >= 8
    assert any(line.is_struck and line.numbers for line in cards["strike_through"].lines)
    assert cards["long"].image.height >= 3200
    assert cards["long"].image.width == 1080
    assert make_card("long", 0).lines[-1].box[3] <= make_card("long", 0).image.height
    assert cards["jpeg"].image.width < 1000
    assert 3 <= cards["jpeg"].wear["num_saves"] <= 5
    assert all(cards[kind].wear["num_saves"] >= 1 for kind in ("rotated", "table", "small_print"))
    assert cards["small_print"].wear["scale"] < 0.9
    assert cards["noise"].wear["noise_sigma"] >= 22


def test_codes_are_drawn_where_the_truth_says() -> None:
    made = [card for card in make_cards(12, seed=1, kinds=("poster",)) if card.codes]
    assert made
    for card in made:
        code = card.codes[0]
        (x0, y0), _, (x1, y1), _ = code.quad
        finder = np.asarray(card.image.convert("L"))[int(y0) : int(y1), int(x0) : int(x1)]
        assert finder[0, 0] == 0  # the finder pattern begins in the corner
        assert code.text.startswith("http")
        assert 0.3 < (finder < 128).mean() < 0.7


def test_joined_and_wrapped_phrases_keep_their_numbers_whole() -> None:
    rng = Random(11)
    for maker in (*PROMOTIONS, *SERVICE) * 8:
        phrase = join("前面的话，", maker(rng), "，", maker(rng))
        for n in phrase.numbers:
            assert phrase.text[n.start : n.end].strip("￥¥"), n
        lines = wrapped(phrase, Style(30, (0, 0, 0)), 200)
        assert "".join(line.text for line in lines) == phrase.text
        assert [(n.kind, n.value) for line in lines for n in line.numbers] == [
            (n.kind, n.value) for n in phrase.numbers
        ]


def test_a_line_that_does_not_fit_is_refused() -> None:
    sheet = Sheet(100, 100, (255, 255, 255), (255, 255, 255))
    with pytest.raises(ValueError, match="does not fit"):
        sheet.write(Phrase("这一行太长了放不下"), (10, 10), Style(30, (0, 0, 0)))


def test_written_sets_have_a_truth_for_each_picture(tmp_path: Path) -> None:
    assert write_cards(tmp_path, make_cards(2, seed=4, kinds=("poster", "table"))) == 2
    for picture in tmp_path.glob("*.png"):
        truth = json.loads(picture.with_suffix(".json").read_text("utf-8"))
        with Image.open(picture) as image:
            assert image.size == (truth["width_px"], truth["height_px"])
        assert all(line["text"] and len(line["box"]) == 4 for line in truth["lines"])


def test_a_missing_font_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_FOLDERS", ())
    monkeypatch.setattr(fonts, "_asked_of_fontconfig", lambda _face: [])
    fonts._find.cache_clear()
    try:
        with pytest.raises(FontMissingError, match="apt-get install fonts-noto-cjk"):
            font("serif", 20)
    finally:
        fonts._find.cache_clear()


def test_a_number_may_stand_alone() -> None:
    assert number("5折", "discount", "5", "折").numbers[0].end == 2


def test_a_card_that_chance_makes_too_large_is_drawn_again() -> None:
    card = make_card("chat", 770_001_000_019)
    assert card.lines
    assert card.lines == make_card("chat", 770_001_000_019).lines
