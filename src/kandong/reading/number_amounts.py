"""Amounts of money and quantities with their units.

Owns: their ways of writing and what the words around say about them. Must not know: offers, dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Literal

from kandong.reading.found_number import FoundNumber, PriceKind
from kandong.reading.numerals import ARABIC, CHINESE, EITHER, OPEN, parse_numeral

_TO: Final = r"\s?[-~—–－～至到]\s?"
_SIGNS: Final = {
    "¥": "CNY",
    "RMB": "CNY",
    "CNY": "CNY",
    "US$": "USD",
    "$": "USD",
    "USD": "USD",
    "HK$": "HKD",
    "€": "EUR",
    "£": "GBP",
}
_SIGNED: Final = re.compile(
    rf"(?P<sign>¥|RMB|CNY|US\$|HK\$|USD|\$|€|£)\s?(?P<a>{OPEN})(?:{_TO}[¥$]?\s?(?P<b>{OPEN}))?(?:\s?元)?", re.IGNORECASE
)
_YUAN: Final = re.compile(
    rf"(?P<a>{EITHER})(?:{_TO}(?P<b>{OPEN}))?\s?(?P<unit>元|圆|块钱|块|人民币|美元|港币|港元|欧元|日元|英镑)(?![宵旦气素宇老首])(?P<part>[\d一二三四五六七八九](?![\d.一二三四五六七八九十百千万元块折月年层次日]|\s?(?:包(?!邮)|[件个只瓶盒袋箱份张片支条双套台杯碗斤克升人名位天周款种罐桶枝朵束对组家间桌节课粒颗])))?"
)
_POST_FREE: Final = re.compile(rf"(?P<a>{ARABIC})(?=\s?包邮)")
_CENTS: Final = re.compile(
    r"(?<![\d.一二三四五六七八九十块零])(?<!牛)(?P<a>\d|[一二两三四五六七八九])毛(?:钱)?(?=[,，。!！\s钱]|$)"
)
_FOREIGN: Final = {"美元": "USD", "港币": "HKD", "港元": "HKD", "欧元": "EUR", "日元": "JPY", "英镑": "GBP"}
_LABELS: Final[tuple[tuple[PriceKind, str], ...]] = (
    ("final", "到手价?|券后价?|折后价?|实付|到手仅?|补贴价|最终价"),
    (
        "original",
        "原价|定价|(?:官方)?指导价|券前价?|划线价|市场价|专柜价|门市价|吊牌价|零售价|日常售?价|平时价|建议价|官方价|标价",
    ),
    ("deposit", "定金|订金|预付款?|押金"),
    ("coupon", "优惠券|代金券|红包|抵用券|满减券|立减券|无门槛券?"),
    ("saving", "立减|立省|节省|直降|共省|省|差价|再减|减"),
    ("member", "会员专?享?价|会员|VIP价?|PLUS价"),
    (
        "current",
        "现价|特价|活动价|秒杀价|团购价|拼团价|促销价|直播价|优惠价|一口价|售价|单价|价格|预售价|新人价|体验价|惊喜价|折扣价|早鸟价|特惠价?|特惠|秒杀|团购|拼团|(?<![送加差交])价(?![购值])",
    ),
)
_LABEL: Final = re.compile("|".join(f"(?P<{kind.replace('from', 'from_')}>{words})" for kind, words in _LABELS))
_LABELLED: Final = re.compile(
    rf"(?:价格?|实付|立减|立省|直降|每[斤件份盒瓶袋]|券后|到手|定金|订金|仅需|只要|仅售|低至)[:：\s]{{0,2}}(?:低至|仅|约)?(?P<a>{OPEN})(?=\s?(?:[,，。!！起;；)）]|$|\s|(?:现|原|特|到手|活动|券后|折后|秒杀|团购|直播|会员|立减|立省|限|仅)))"
)
_COUPON_AFTER: Final = re.compile(r"\s?(?:无门槛|满减|优惠|代金|抵用|现金|立减|新人|大额|消费)?(?:券|红包)")
_LEAST: Final = re.compile(r"(?:低至|最低|至少|不低于|不少于|起步)\s?[:：]?¥?\s?$")
_MOST: Final = re.compile(r"(?:最高|最多|至多|不超过|限|上限)\s?[:：]?(?:可?[减省享返领]|购|领)?¥?\s?$")
_ABOUT: Final = re.compile(r"(?:约|近|大约|将近|超|超过|逾)\s?$")
_BREAK: Final = re.compile(r"[,，。;；!！、|\n]|\d")

_MEASURES: Final = (
    "平方米 平米 毫升 公斤 千克 毫克 厘米 毫米 公里 千米 英寸 小时 分钟 个月 周岁 "
    "mAh GB TB kg ml mg cm mm km ℃ ㎡ g L m h"
)
_GOODS: Final = (
    "件 个 只 瓶 盒 袋 包 箱 份 张 片 支 条 双 套 台 杯 碗 斤 克 升 人 名 位 次 天 年 周 "
    "款 种 期 罐 桶 枝 朵 束 对 组 岁 家"
)
_OTHERS: Final = "米 寸 秒 分 层 抽 粒 颗 枚 度 例 单 间 桌 场 节 课 步 倍"
_UNIT: Final = "|".join(f"{_MEASURES} {_GOODS} {_OTHERS}".split())
_SPOKEN_UNIT: Final = "|".join(f"公斤 毫升 小时 分钟 个月 {_GOODS}".split())
# Behind the unit: no word that begins with it (人民, 分店, 位置), no letters after letters.
_NOT_A_UNIT: Final = (
    r"(?:(?<=人)(?!民)|(?<=分)(?![之店类享期钟])|(?<=位)(?!置)|(?<=周)(?!年)|(?<=包)(?!邮)|(?<=对)(?!\d)|(?<=[^人分位周包对]))"
    r"(?:(?<=[A-Za-z])(?![A-Za-z])|(?<![A-Za-z]))"
)
_COUNTED: Final = re.compile(
    rf"(?P<a>{ARABIC})(?:{_TO}(?P<b>\d{{1,8}}(?:\.\d{{1,2}})?(?:万)?))?(?P<plus>\+|多|余|几)?"
    rf"\s?(?P<unit>{_UNIT}){_NOT_A_UNIT}(?P<plus2>\+(?!\s?\d))?",
    re.IGNORECASE,
)
_SPOKEN: Final = re.compile(rf"(?P<a>{CHINESE})(?P<plus>多|余)?(?P<unit>{_SPOKEN_UNIT}){_NOT_A_UNIT}")
_MYRIADS: Final = re.compile(
    r"(?<![\d.])(?P<a>\d{1,8}(?:\.\d{1,2})?\s?(?:[千百]?[万亿]|[wW](?![A-Za-z])))(?P<plus>\+|多|余)?"
)
_SOLD: Final = re.compile(
    r"(?:月销量?|已售|销量|热销|已拼|已抢)[:：\s]{0,2}(?P<a>\d{1,8})(?P<plus>\+|多|余)?(?![\d.万亿wWkK])"
)
_HALVED: Final = frozenset("个斤年天米升杯碗")
_HALF: Final = re.compile(r"半(?:小时|月)?(?![价折年])")
# What stands there when a reader has torn a number (¥39 .9, ¥1,29, 3 9.9元): the value may be only a part of it.
_TORN_AFTER: Final = re.compile(r"\s?[.。·]\s?\d|\s?,\d{1,3}(?=$|[\s.元])|\s\d{1,2}(?=$|[\s元])")
_TORN_BEFORE: Final = re.compile(r"\d(?:\s|\s?[.。·]\s?)$")
_ONE_IS_A_COUNT: Final = frozenset("件瓶盒袋箱罐桶张支套台份")


def context(text: str, start: int) -> str:
    """Give the words right before a place, up to the last break or number."""
    return _BREAK.split(text[max(0, start - 10) : start])[-1]


def label_in(words: str) -> PriceKind | None:
    """Give what kind of price the last label in some words announces."""
    last: PriceKind | None = None
    for match in _LABEL.finditer(words):
        if match[0] == "价" and last is not None:
            continue  # 原价成交价: the plainer word says nothing more
        last = match.lastgroup  # type: ignore[assignment]
    return last


def bound_of(text: str, start: int, end: int) -> Literal["at_least", "at_most"] | None:
    """Tell whether the words around say at least or at most."""
    before, after = text[max(0, start - 6) : start], text[end : end + 3]
    if _LEAST.search(before) or re.match(r"起(?!床|来)|以上|及以上", after):
        return "at_least"
    if _MOST.search(before) or re.match(r"以内|以下|封顶", after):
        return "at_most"
    return None


def is_about(text: str, start: int, end: int) -> bool:
    """Tell whether the words around say roughly."""
    return bool(
        _ABOUT.search(text[max(0, start - 4) : start])
        or re.match(r"左右|上下|\+(?!\d)|余|多(?!少)", text[end : end + 2])
    )


def find_prices(text: str) -> Iterator[FoundNumber]:
    """Find amounts of money; ``text`` has half-width digits and ¥ for both yen signs."""
    for match in _SIGNED.finditer(text):
        yield from _price(text, match, _SIGNS[match["sign"].upper()], is_uncertain=False)
    for match in _YUAN.finditer(text):
        unit, part = match["unit"], match["part"]
        after = text[match.end() : match.end() + 1]
        is_piece = (
            unit == "块"
            and not part
            and after not in ("", "钱")
            and re.match(r"[\s,，。!！起的/、)）一-]", after) is None
        )
        # 28元一块, 抹布1块: a piece rather than money
        is_piece = is_piece or (unit == "块" and not part and match["a"] in ("1", "一"))
        yield from _price(text, match, _FOREIGN.get(unit, "CNY"), is_uncertain=is_piece)
    for match in _POST_FREE.finditer(text):
        value = parse_numeral(match["a"])
        if value is not None:
            yield FoundNumber(match[0], *match.span(), "price", value, "CNY")
    for match in _CENTS.finditer(text):
        value = parse_numeral(match["a"])
        if value is not None:
            yield FoundNumber(match[0], *match.span(), "price", value / 10, "CNY")
    for match in _LABELLED.finditer(text):
        value = parse_numeral(match["a"])
        if value is not None:
            label = label_in(text[max(0, match.start() - 6) : match.start("a")])
            bound = bound_of(text, *match.span("a"))
            yield FoundNumber(
                match["a"], *match.span("a"), "price", value, "CNY", None, label, bound, is_uncertain=label is None
            )


def _price(text: str, match: re.Match[str], currency: str, *, is_uncertain: bool) -> Iterator[FoundNumber]:
    value = parse_numeral(match["a"])
    upper = parse_numeral(match["b"]) if match["b"] else None
    part = match.groupdict().get("part")
    end = match.end()
    if value is None:
        return
    if part and (match["unit"] in ("块", "元")) and value == int(value) and upper is None:
        cents = parse_numeral(part)
        value += (cents or Decimal(0)) / 10  # 九块九
    elif part:
        end -= 1
    bound = bound_of(text, match.start(), end)
    kind = label_in(context(text, match.start()))
    if _COUPON_AFTER.match(text, end):
        kind = "coupon"
    elif kind is None and text[end : end + 1] == "起" and text[end : end + 2] != "起来":
        kind = "from"
    is_rough = is_about(text, match.start(), end)
    is_falling = upper is not None and upper < value  # ￥399-￥199 may be before and now
    is_uncertain = is_uncertain or is_falling or is_torn(text, match.start(), end)
    yield FoundNumber(
        match[0], match.start(), end, "price", value, currency, upper, kind, bound, is_rough, is_uncertain
    )


def is_torn(text: str, start: int, end: int) -> bool:
    """Tell whether digits stand so near that the number may be a part of a longer one."""
    is_cut = not text[end - 1 : end].isdigit()  # a unit behind closes the number
    after = None if is_cut else _TORN_AFTER.match(text, end)
    before = text[start : start + 1].isdigit() and _TORN_BEFORE.search(text[max(0, start - 4) : start])
    return bool(after or before)


def find_quantities(text: str) -> Iterator[FoundNumber]:
    """Find counts and measures with a unit."""
    for match in _COUNTED.finditer(text):
        if text[match.start() - 1 : match.start()] not in ("第", "#"):
            yield from _quantity(text, match)
    for match in _SPOKEN.finditer(text):
        is_one = not match["a"].strip("一")
        if len(match["a"]) == 1 and match["a"] in "十百千万亿零" and match["a"] != "十":
            continue
        if is_one and match["unit"] not in _ONE_IS_A_COUNT:
            continue
        is_name = is_one or text[match.end() : match.end() + 1] in ("套", "组") or match["a"] in ("万", "千", "百")
        yield from _quantity(text, match, is_uncertain=is_name)
    for match in _MYRIADS.finditer(text):
        value = parse_numeral(match["a"])
        if value is not None:
            is_rough = bool(match["plus"]) or is_about(text, *match.span())
            is_watt = match["a"][-1] == "W" and not match["plus"]  # 65W快充
            yield FoundNumber(
                match[0], *match.span(), "qty", value, None, is_approximate=is_rough, is_uncertain=is_watt
            )


def find_sales(text: str) -> Iterator[FoundNumber]:
    """Find how often a thing was sold, where no unit says what is counted: 月销1000+."""
    for match in _SOLD.finditer(text):
        is_rough = match["plus"] is not None
        end = match.end()
        yield FoundNumber(match[0], match.start("a"), end, "qty", Decimal(match["a"]), None, is_approximate=is_rough)


def _quantity(text: str, match: re.Match[str], *, is_uncertain: bool = False) -> Iterator[FoundNumber]:
    value = parse_numeral(match["a"])
    parts = match.groupdict()
    upper = parse_numeral(parts["b"]) if parts.get("b") else None
    if value is None:
        return
    is_rough = bool(match["plus"] or parts.get("plus2")) or is_about(text, match.start(), match.end())
    bound = bound_of(text, match.start(), match.end())
    unit, (start, end) = match["unit"], match.span()
    half = _HALF.match(text, end)
    if half and upper is None and unit in _HALVED:  # 两斤半, 三个半小时
        value += Decimal("0.5")
        unit, end = {"半小时": "小时", "半月": "个月"}.get(half[0], unit), half.end()
    if unit in ("℃", "度") and re.search(r"(?:零下|(?<![\d℃])-)$", text[max(0, start - 2) : start]):
        start, value = start - (1 if text[start - 1] == "-" else 2), -value
    yield FoundNumber(match[0], start, end, "qty", value, unit, upper, None, bound, is_rough, is_uncertain)
