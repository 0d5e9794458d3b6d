"""Numbers are found with their exact values, look-alikes are left alone, and no text makes it slow."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cards.phrases import PROMOTIONS, SERVICE, Maker, order_id, price_old
from kandong.reading.numbers import FoundNumber, find_numbers, find_numbers_in_lines
from tests.reading.number_cases import CASES
from tests.reading.number_look_alikes import INNOCENT_TEXTS


def described(number: FoundNumber) -> str:
    extra = number.price_kind if number.kind == "price" else number.unit if number.kind == "qty" else None
    return " ".join(filter(None, (number.kind, number.canonical, extra, "?" if number.is_uncertain else None)))


def only(text: str) -> FoundNumber:
    (number,) = find_numbers(text)
    return number


def test_there_are_enough_cases() -> None:
    assert len(CASES) + len(INNOCENT_TEXTS) >= 200
    assert len({text for text, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_numbers_are_found_with_their_values(text: str, expected: list[str]) -> None:
    assert [described(number) for number in find_numbers(text)] == expected


@pytest.mark.parametrize("text", INNOCENT_TEXTS)
def test_look_alikes_are_no_numbers(text: str) -> None:
    assert find_numbers(text) == []


@pytest.mark.parametrize("maker", [*dict.fromkeys(PROMOTIONS), *SERVICE, price_old, order_id], ids=lambda m: m.__name__)
def test_numbers_of_generated_cards_are_found(maker: Maker) -> None:
    rng = Random(20)
    for _ in range(120):
        phrase = maker(rng)
        found = [(n.start, n.end, n.kind, n.canonical, n.price_kind) for n in find_numbers(phrase.text)]
        for n in phrase.numbers:
            assert (n.start, n.end, n.kind, n.value, n.price_kind) in found, phrase.text


def test_prices_know_their_currency_and_bounds() -> None:
    assert [only(text).unit for text in ("￥5", "US$5", "HK$5", "5欧元", "5元")] == ["CNY", "USD", "HKD", "EUR", "CNY"]
    assert only("低至9.9元").bound == "at_least"
    assert only("最高减100元").bound == "at_most"
    assert only("99元起").bound == "at_least"
    assert only("约500克").is_approximate
    assert only("已售1.2万+").is_approximate
    assert not only("500克").is_approximate


def test_offers_know_whether_they_repeat() -> None:
    repeated = only("每满300减50，上不封顶")
    assert repeated.is_each
    assert repeated.is_uncapped
    assert not only("满300减50").is_each
    assert not only("满300减50").is_uncapped


def test_the_raw_text_keeps_its_full_width_digits() -> None:
    number = only("只要１９９元哦")
    assert (number.raw, number.span, number.value) == ("１９９元", (2, 6), Decimal(199))


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["尽快发货，微信号：", "erp7m56"], "erp7m56"),  # no 7 m of anything
        (["换个颜色，加微信", "y4mrx2w7s"], "y4mrx2w7s"),  # nor 20,000
        (["补寄一份，微", "信：a29zb2xz2"], "a29zb2xz2"),
    ],
)
def test_a_wechat_id_behind_the_end_of_a_line_is_whole(lines: list[str], name: str) -> None:
    (_, [found]) = find_numbers_in_lines(lines)
    assert (found.kind, found.canonical, lines[1][slice(*found.span)]) == ("wechat", name, name)


def test_a_label_on_the_line_before_counts() -> None:
    (_, [price]) = find_numbers_in_lines(["原价", "￥399"])
    assert (price.value, price.price_kind) == (Decimal(399), "original")
    (_, [bare]) = find_numbers_in_lines(["到手价：", "79.9"])
    assert (bare.kind, bare.value, bare.price_kind) == ("price", Decimal("79.9"), "final")
    (_, [own]) = find_numbers_in_lines(["原价", "现价￥199"])
    assert own.price_kind == "current"
    lines = find_numbers_in_lines(["原价", "欢迎光临", "￥199"])
    assert lines[2][0].price_kind is None
    (_, [wechat]) = find_numbers_in_lines(["可以的，加微信：", "hetqabt"])
    assert (wechat.kind, wechat.value) == ("wechat", "hetqabt")
    assert find_numbers_in_lines(["关注公众号", "hetqabt"])[1] == []
    assert find_numbers_in_lines([]) == []


def test_digits_below_a_qq_label_are_a_qq_id_and_a_telephone_number_stays_one() -> None:
    (_, [qq]) = find_numbers_in_lines(["店长QQ：", "87654321"])
    assert (qq.kind, qq.value, qq.span) == ("qq", "87654321", (0, 8))
    (_, [group]) = find_numbers_in_lines(["进扣扣群:", " 123456789 "])
    assert (group.kind, group.raw) == ("qq", "123456789")
    (_, [phone]) = find_numbers_in_lines(["QQ：", "13812345678"])
    assert phone.kind == "phone"
    assert find_numbers_in_lines(["爱吃QQ糖", "87654321"])[1] == find_numbers("87654321")
    assert find_numbers_in_lines(["QQ：", "87654321元"])[1] == find_numbers("87654321元")


def test_json_keeps_decimals_exact() -> None:
    data = json.loads(json.dumps(only("到手价￥39.90").to_dict()))
    assert data["value"] == "39.9"
    assert data["span"] == [3, 9]
    assert data["price_kind"] == "final"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789.,-~年月日点时元折满减买送第件百千万一二十九￥%微信vxQQ：: abc/", max_size=40))
def test_any_text_gives_ordered_spans_without_overlaps(text: str) -> None:
    end = 0
    for number in find_numbers(text):
        assert end <= number.start < number.end <= len(text)
        assert number.raw == text[number.start : number.end]
        end = number.end
        json.dumps(number.to_dict())


@settings(max_examples=100, deadline=None)
@given(st.decimals(min_value=0, max_value=999999, places=2))
def test_prices_round_trip(value: Decimal) -> None:
    assert only(f"￥{value:,}").value == value
    assert only(f"现价{value}元").value == value


# Beginnings that nothing ends are what makes patterns slow.
UNENDED = "1|一|满|1.|1,|微信|v|2026年|1-|满1减|原价|第| |1:|特价39元，|元4|充1送|买1付|月销1|两斤半|电话1|国药准字1"


@pytest.mark.parametrize("piece", UNENDED.split("|"))
def test_time_grows_no_faster_than_the_text(piece: str) -> None:
    def seconds(num_characters: int) -> float:
        text = piece * (num_characters // len(piece))
        start = time.process_time()
        find_numbers(text)
        return time.process_time() - start

    small = min(seconds(5_000) for _ in range(3))
    # Eight times the text: linear is 8, quadratic 64.
    assert min(seconds(40_000) for _ in range(2)) < 24 * small + 0.02


def test_a_megabyte_is_read_in_seconds() -> None:
    text = "原价399元，到手价￥199，满300减50，2026年6月1日-6月18日，电话13800138000。"
    text = (text + "今天天气不错，我们去吃饭吧。" * 12) * 5_000
    assert len(text) > 1_000_000
    start = time.process_time()
    assert len(find_numbers(text[:1_000_000])) > 20_000
    assert time.process_time() - start < 20
