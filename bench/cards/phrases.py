"""Sentences with numbers as promotions write them, each number with its canonical value.

Owns: the wording and the truth about each number. Must not know: the parser of the product (the tests compare both).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from bench.cards import words
from bench.cards.truth import Phrase, TrueNumber

DIGITS = "零一二三四五六七八九"
Maker = Callable[[Random], Phrase]


def number(text: str, kind: str, value: str, unit: str | None = None, price_kind: str | None = None) -> Phrase:
    """Make a phrase that is one number altogether."""
    return Phrase(text, (TrueNumber(0, len(text), kind, value, unit, price_kind),))


def join(*parts: str | Phrase) -> Phrase:
    """Put texts and phrases one after the other; the numbers move along."""
    text, numbers = "", []
    for part in parts:
        phrase = Phrase(part) if isinstance(part, str) else part
        numbers += [replace(n, start=n.start + len(text), end=n.end + len(text)) for n in phrase.numbers]
        text += phrase.text
    return Phrase(text, tuple(numbers))


def amount(rng: Random) -> str:
    """Choose an amount as shops do: 9.9, 39, 199, 1299, 88.8."""
    whole = rng.choice((rng.randint(1, 99), rng.randint(10, 999), rng.randint(100, 4999)))
    ends = rng.random()
    if ends < 0.3:
        return f"{whole}.{rng.choice('5899')}"
    if ends < 0.36:
        return f"{whole}.{rng.randint(1, 9)}{rng.randint(1, 9)}"
    return str(whole)


def price(rng: Random, price_kind: str | None = "current", value: str | None = None) -> Phrase:
    """Write an amount of money: ￥39.9, ¥39.9, 39.9元."""
    value = value or amount(rng)
    text = rng.choice(("￥{}", "¥{}", "{}元")).format(value)
    return number(text, "price", value, "CNY", price_kind)


def price_now(rng: Random) -> Phrase:
    """Write the price that holds."""
    label, kind = rng.choice(
        (("特价", "current"), ("现价", "current"), ("活动价", "current"), ("到手价", "final"), ("券后价", "final"))
    )
    return join(label, rng.choice(("", "：", " ")), price(rng, kind))


def price_old(rng: Random) -> Phrase:
    """Write a price of before."""
    return join(rng.choice(("原价", "市场价", "专柜价", "划线价")), rng.choice(("", "：")), price(rng, "original"))


def price_other(rng: Random) -> Phrase:
    """Write a price for members, a deposit, a coupon."""
    label, kind = rng.choice((("会员价", "member"), ("定金", "deposit"), ("订金", "deposit")))
    if rng.random() < 0.3:
        value = str(rng.choice((5, 10, 20, 30, 50, 100)))
        return join("领", number(f"{value}元", "price", value, "CNY", "coupon"), "优惠券")
    return join(label, rng.choice(("", "：")), price(rng, kind))


def discount(rng: Random) -> Phrase:
    """Write a discount: 8.5折, 五折, 95%."""
    tenths = rng.choice((10, 15, 20, 25, 30, 35, 38, 45, 50, 55, 60, 68, 70, 75, 80, 85, 88, 90, 95))
    value = f"{tenths // 10}.{tenths % 10}" if tenths % 10 else str(tenths // 10)
    if tenths % 10 == 0 and rng.random() < 0.3:
        return join("全场", number(f"{DIGITS[tenths // 10]}折", "discount", value, "折"))
    return join(rng.choice(("全场", "低至", "会员专享", "")), number(f"{value}折", "discount", value, "折"))


def percent(rng: Random) -> Phrase:
    """Write a share."""
    value = str(rng.randint(2, 99))
    return join(rng.choice(("回购率", "好评率", "棉含量")), number(f"{value}%", "pct", value, "%"))


def threshold(rng: Random) -> Phrase:
    """Write 满300减50."""
    least = rng.choice((50, 99, 100, 159, 199, 200, 299, 300, 500, 999))
    less = rng.choice((5, 8, 10, 15, 20, 30, 50))
    each = rng.choice(("", "", "每"))
    unit = rng.choice(("", "元"))
    text = f"{each}满{least}{unit}减{less}{unit}"
    return join(number(text, "offer", f"{least}-{less}"), rng.choice(("", "，上不封顶" if each else "")))


def gift(rng: Random) -> Phrase:
    """Write 买一送一, 第二件半价, 3件8折."""
    which = rng.randrange(4)
    if which == 0:
        buy, get = rng.choice(((1, 1), (2, 1), (3, 1), (5, 2)))
        text = rng.choice((f"买{buy}送{get}", f"买{DIGITS[buy]}送{DIGITS[get]}"))
        return number(text, "offer", f"{buy}+{get}")
    if which == 1:
        return number(rng.choice(("第二件半价", "第2件半价")), "offer", "2:5折")
    if which == 2:
        count, off = rng.choice(((2, 9), (3, 8), (5, 7)))
        return number(f"{count}件{off}折", "offer", f"{count}:{off}折")
    least = rng.choice((66, 88, 99, 128, 168))
    return join("消费满", number(f"{least}元", "price", str(least), "CNY"), "赠" + rng.choice(words.GIFTS))


def dates(rng: Random) -> Phrase:
    """Write a day or a time from day to day."""
    year, month = rng.choice((2025, 2026, 2027)), rng.randint(1, 11)
    first, last = sorted(rng.sample(range(1, 29), 2))
    start, end = f"{month:02}-{first:02}", f"{month:02}-{last:02}"
    which = rng.randrange(5)
    if which == 0:
        text = f"{year}年{month}月{first}日-{month}月{last}日"
        return join("活动时间：", number(text, "date", f"{year}-{start}/{year}-{end}"))
    if which == 1:
        return join("时间", number(f"{month}.{first}-{month}.{last}", "date", f"--{start}/--{end}"))
    if which == 2:
        return number(f"即日起至{month}月{last}日", "date", f"../--{end}")
    if which == 3:
        hour = rng.randint(0, 22)
        return join(
            number(f"{month}月{first}日", "date", f"--{start}"), number(f"{hour}点", "time", f"{hour:02}:00"), "开抢"
        )
    return join("截至", number(f"{year}年{month}月{last}日", "date", f"{year}-{end}"))


def hours(rng: Random) -> Phrase:
    """Write opening hours."""
    start, end = rng.randint(7, 11), rng.randint(18, 22)
    half = rng.choice(("00", "30"))
    text = f"{start:02}:{half}-{end}:00"
    return join("营业时间", rng.choice(("：", " ")), number(text, "time", f"{start:02}:{half}/{end}:00"))


def phone(rng: Random) -> Phrase:
    """Write a telephone number."""
    which = rng.randrange(3)
    if which == 0:
        digits = f"1{rng.choice('35789')}" + "".join(rng.choices("0123456789", k=9))
        text = rng.choice(
            (digits, f"{digits[:3]} {digits[3:7]} {digits[7:]}", f"{digits[:3]}-{digits[3:7]}-{digits[7:]}")
        )
    elif which == 1:
        digits = "400" + "".join(rng.choices("0123456789", k=7))
        text = f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
    else:
        area = rng.choice(("0571", "028", "025", "0731", "0532"))
        digits = area + rng.choice("5678") + "".join(rng.choices("0123456789", k=7))
        text = f"{area}-{digits[len(area) :]}"
    return join(rng.choice(("电话：", "热线：", "预约电话", "咨询热线 ")), number(text, "phone", digits))


def contact(rng: Random) -> Phrase:
    """Write a WeChat or QQ id."""
    if rng.random() < 0.3:
        digits = rng.choice("123456789") + "".join(rng.choices("0123456789", k=rng.randint(6, 9)))
        return join("QQ：", number(digits, "qq", digits))
    name = rng.choice("abcdefghkmnpqrstwxyz") + "".join(
        rng.choices("abcdefghkmnpqrstwxyz23456789", k=rng.randint(6, 9))
    )
    return join(rng.choice(("微信：", "微信号：", "加微信 ", "vx：")), number(name, "wechat", name))


def amount_of_goods(rng: Random) -> Phrase:
    """Write a size or a count."""
    which = rng.randrange(4)
    if which == 0:
        size, unit = rng.choice(((500, "ml"), (250, "ml"), (30, "g"), (400, "g"), (5, "kg"), (1, "L"), (750, "ml")))
        count = rng.randint(2, 24)
        word = rng.choice(("瓶", "盒", "袋"))
        return join(
            "规格：",
            number(f"{size}{unit}", "qty", str(size), unit),
            "×",
            number(f"{count}{word}", "qty", f"{count}", word),
        )
    if which == 1:
        tenths = rng.randint(11, 98)
        sold = f"{tenths // 10}.{tenths % 10}" if tenths % 10 else str(tenths // 10)
        word = rng.choice(("件", "份"))
        return join("已售", number(f"{sold}万{word}", "qty", str(tenths * 1000), word))
    if which == 2:
        count = rng.choice((50, 100, 200, 300, 500))
        return join("前", number(f"{count}名", "qty", str(count), "名"), "下单送", rng.choice(words.GIFTS))
    count = rng.randint(1, 5)
    return join("每人限购", number(f"{count}件", "qty", str(count), "件"))


def order_id(rng: Random) -> Phrase:
    """Write the number of an order."""
    digits = f"20{rng.randint(25, 27)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}" + "".join(
        rng.choices("0123456789", k=8)
    )
    return join(rng.choice(("订单号：", "订单编号：")), number(digits, "id", digits))


def shop(rng: Random) -> Phrase:
    """Name a shop and a branch."""
    name = rng.choice(words.BRANDS) + rng.choice(words.SHOP_ENDS)
    return Phrase(f"{name}（{rng.choice(words.BRANCHES)}）" if rng.random() < 0.6 else name)


def address(rng: Random) -> Phrase:
    """Write an address; its house number is no number of interest."""
    i = rng.randrange(len(words.CITIES))
    house = rng.randint(2, 988)
    return Phrase(f"地址：{words.CITIES[i]}{words.DISTRICTS[i]}{words.STREETS[i]}{house}号{rng.choice(words.PLACES)}")


def goods(rng: Random) -> Phrase:
    """Name a thing."""
    return Phrase(rng.choice(words.BRANDS) + rng.choice(words.GOODS) if rng.random() < 0.5 else rng.choice(words.GOODS))


def title(rng: Random) -> Phrase:
    """Write a headline."""
    return Phrase(rng.choice(words.TITLES))


def slogan(rng: Random) -> Phrase:
    """Write a slogan."""
    return Phrase(rng.choice(words.SLOGANS))


def disclaimer(rng: Random) -> Phrase:
    """Write small print."""
    return Phrase(rng.choice(words.DISCLAIMERS))


PROMOTIONS: tuple[Maker, ...] = (
    price_now, price_now, price_other, discount, percent, threshold, gift, gift, amount_of_goods, amount_of_goods,
)  # fmt: skip
SERVICE: tuple[Maker, ...] = (dates, hours, phone, contact, address, shop)
