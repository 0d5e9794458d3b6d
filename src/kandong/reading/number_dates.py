"""Dates and times of day in a text.

Owns: their ways of writing and the calendar check. Must not know: prices, what a date is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kandong.reading.found_number import FoundNumber
from kandong.reading.numerals import parse_numeral

_C: Final = "零〇一二三四五六七八九十"
_YEAR: Final = r"(?:(?P<y@>(?<!\d)(?:19|20)\d\d|二[零〇]" + f"[{_C}]{{2}}" + r")\s?年\s?)?"
_YEAR_1: Final = _YEAR.replace("@", "1")
_MONTH: Final = r"(?P<m@>(?<![\d.])\d{1,2}|(?<![" + _C + r"])[一二三四五六七八九十]{1,2})\s?月\s?"
_MONTH_1: Final = _MONTH.replace("@", "1")
_DAY: Final = r"(?P<d@>\d{1,2}(?![\d.,])|[一二三四五六七八九十]{1,3})"
_DAY_1: Final = _DAY.replace("@", "1")
_DAY_2: Final = _DAY.replace("@", "2")
_TO: Final = r"\s?(?:[-~—–－～]{1,2}|至|到)\s?"
_FIRST: Final = _YEAR_1 + _MONTH_1 + _DAY_1
_SECOND: Final = rf"(?:(?P<y2>20\d\d)\s?年\s?)?(?:(?P<m2>\d{{1,2}}|[一二三四五六七八九十]{{1,2}})\s?月\s?)?{_DAY_2}"
_WORDS: Final = re.compile(rf"(?P<now>即日起?\s?(?:[-~至到]|止)\s?)?{_FIRST}(?:\s?[日号])?(?:{_TO}{_SECOND}\s?[日号])?")
_ISO: Final = r"(?P<y@>20\d\d)(?P<s@>[-./])(?P<m@>\d{1,2})(?P=s@)(?P<d@>\d{1,2})"
_ISO_1: Final = _ISO.replace("@", "1")
_DIGITS: Final = re.compile(
    rf"(?<![\d.\-/A-Za-z]){_ISO_1}(?![\d]|[./]\d)(?:{_TO}(?:(?P<y2>20\d\d)[-./])?(?P<m2>\d{{1,2}})[-./](?P<d2>\d{{1,2}})(?![\d.]))?"
)
_SHORT_RANGE: Final = re.compile(
    rf"(?<![\d.\-/A-Za-z¥])(?P<now>)(?P<m1>\d{{1,2}})(?P<s>[./])(?P<d1>\d{{1,2}})(?:[日号])?{_TO}(?P<m2>\d{{1,2}})(?P=s)(?P<d2>\d{{1,2}})(?![\d.%元折万]|[./]\d|\s?[A-Za-z])"
)
_SHORT: Final = re.compile(r"(?<![\d.\-/A-Za-z¥])(\d{1,2})\.(\d{1,2})(?![\d.%元块折万分斤米倍kKgmMlL寸升])")
_FESTIVALS: Final = re.compile(r"双(?:11|十一|12|十二)(?!\d)|(?<!\d)618(?=大促|年中|狂欢|活动|购物)")
_MONTHS: Final = re.compile(
    r"(?:(?P<y>(?<!\d)20\d\d)\s?年\s?)(?:(?P<m>\d{1,2})\s?月(?!\s?\d))?|(?<![\d.个])(?P<only>\d{1,2})\s?月(?=份|底|初|中旬|上旬|下旬)"
)
_MONTH_RANGE: Final = re.compile(r"(?<![\d.年])(?P<m1>\d{1,2})\s?月?\s?[-~—至到]\s?(?P<m2>\d{1,2})\s?月(?!\s?\d)")
_DAYS_OF_MONTH: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DATE_WORDS: Final = re.compile(r"(?:时间|日期|截止|截至|期|自|于|即日起至?)[:：\s]{0,2}$")
_HALVES: Final = {"下午": 12, "晚上": 12, "晚": 12, "傍晚": 12, "中午": 12}
_HALF: Final = r"(?:(?P<p@>上午|下午|晚上|早上|凌晨|中午|傍晚|早|晚)\s?)?"
_CLOCK: Final = _HALF + r"(?P<h@>[01]?\d|2[0-4])[:：](?P<n@>[0-5]\d)(?![\d])(?:[:：][0-5]\d)?"
_CLOCK_1: Final = _CLOCK.replace("@", "1")
_CLOCK_2: Final = _CLOCK.replace("@", "2")
_CLOCKS: Final = re.compile(rf"(?<![\d.])(?<!\d[:：]){_CLOCK_1}(?:{_TO}(?:次日|当日)?{_CLOCK_2})?(?![:：]?\d)")
_HOUR: Final = (
    _HALF
    + r"(?P<h@>(?<![\d.])[01]?\d|(?<![\d.])2[0-4]|(?<!["
    + _C
    + r"])[一二三四五六七八九十两]{1,3}|零)[点时](?![一二三四五六七八九]折)(?P<n@>半|整|[0-5]?\d分?(?![\d折])|)?"
)
_HOUR_1: Final = _HOUR.replace("@", "1")
_HOUR_2: Final = _HOUR.replace("@", "2")
_HOURS: Final = re.compile(rf"{_HOUR_1}(?:{_TO}{_HOUR_2})?")
_SURE_AFTER: Final = re.compile(r"\s?(?:开|抢|前|后|起|止|到|至|准时|正式|结束|截止|关门|打烊|下单|$)")


def find_dates(text: str) -> Iterator[FoundNumber]:
    """Find days and ranges of days; ``text`` has half-width digits."""
    for match in _WORDS.finditer(text):
        yield from _from_match(text, match)
    for match in _DIGITS.finditer(text):
        yield from _from_match(text, match)
    for match in _SHORT_RANGE.finditer(text):
        yield from _from_match(text, match, is_bare=True)
    for match in _FESTIVALS.finditer(text):
        festival = "--06-18" if match[0] == "618" else "--12-12" if match[0][-1] in "2二" else "--11-11"
        yield FoundNumber(match[0], *match.span(), "date", festival)
    for match in _SHORT.finditer(text):
        day = _iso(None, match[1], match[2])
        before = text[max(0, match.start() - 8) : match.start()]
        is_known = match[0] in ("11.11", "12.12", "6.18")
        is_said = bool(_DATE_WORDS.search(before))
        if day is not None and (is_said or is_known) and not re.search(r"[价仅需¥]\s?$", before):
            yield FoundNumber(match[0], *match.span(), "date", day, is_uncertain=not is_said)
    for match in _MONTH_RANGE.finditer(text):
        first, last = int(match["m1"]), int(match["m2"])
        if 1 <= first <= 12 and 1 <= last <= 12:
            yield FoundNumber(match[0], *match.span(), "date", f"--{first:02}", upper=f"--{last:02}")
    for match in _MONTHS.finditer(text):
        month = match["m"] or match["only"]
        if month is None or 1 <= int(month) <= 12:
            head = match["y"] or "-"
            yield FoundNumber(match[0], *match.span(), "date", f"{head}-{int(month):02}" if month else head)


def _from_match(text: str, match: re.Match[str], *, is_bare: bool = False) -> Iterator[FoundNumber]:
    parts = match.groupdict()
    if re.match(r"\s?[日号]", match[0][-1]) is None and "now" in parts and not is_bare and parts.get("d2") is None:
        return  # 3月5 of 3月5折
    first = _iso(parts.get("y1"), parts["m1"], parts["d1"])
    second = None
    if parts.get("d2"):
        second = _iso(parts.get("y2") or parts.get("y1"), parts["m2"] or parts["m1"], parts["d2"])
    if first is None or (parts.get("d2") and second is None):
        return
    is_real = all(_is_day(day) for day in (first, second) if day)
    if parts.get("now"):
        yield FoundNumber(match[0], *match.span(), "date", "..", upper=second or first, is_uncertain=not is_real)
        return
    said = _DATE_WORDS.search(text[max(0, match.start() - 8) : match.start()])
    is_plain = not is_bare or bool(said) or parts["m1"] == parts["m2"] or (first <= (second or first))
    yield FoundNumber(match[0], *match.span(), "date", first, upper=second, is_uncertain=not (is_real and is_plain))


def _iso(year: str | None, month: str, day: str) -> str | None:
    numbers = [parse_numeral(month), parse_numeral(day)]
    if numbers[0] is None or numbers[1] is None or not (1 <= numbers[0] <= 12 and 1 <= numbers[1] <= 31):
        return None
    whole = parse_numeral(year) if year else None
    return f"{whole if whole is not None else '-'}-{int(numbers[0]):02}-{int(numbers[1]):02}"


def _is_day(iso: str) -> bool:
    *year, month, day = iso.replace("--", "-").split("-")
    if int(day) > _DAYS_OF_MONTH[int(month) - 1]:
        return False
    is_leap_day = (month, day) == ("02", "29")
    return not (is_leap_day and year[0] and (int(year[0]) % 4 != 0 or int(year[0]) % 100 == 0 != int(year[0]) % 400))


def find_times(text: str) -> Iterator[FoundNumber]:
    """Find times of day; ``text`` has half-width digits."""
    for match in _CLOCKS.finditer(text):
        is_ratio = re.search(r"比[例分]?\s?[:：]?\s?$", text[max(0, match.start() - 5) : match.start()]) is not None
        yield _time(match, is_uncertain=is_ratio)
    for match in _HOURS.finditer(text):
        parts = match.groupdict()
        hour = parse_numeral(parts["h1"])
        if hour is None or hour > 24:
            continue
        is_sure = bool(parts["p1"] or parts["n1"] or parts["h2"]) or text[match.start() - 1 : match.start()] in (
            "日",
            "号",
        )
        if parts["h1"] == "一" and not is_sure:
            continue  # 好了一点
        is_sure = is_sure or (match[0][-1] == "点" and _SURE_AFTER.match(text, match.end()) is not None)
        if is_sure or match[0][-1] == "点":
            yield _time(match, is_uncertain=not is_sure)


def _time(match: re.Match[str], *, is_uncertain: bool) -> FoundNumber:
    parts = match.groupdict()
    first = _clock(parts, "1", None)
    second = _clock(parts, "2", parts["p1"]) if parts["h2"] else None
    return FoundNumber(match[0], *match.span(), "time", first, upper=second, is_uncertain=is_uncertain)


def _clock(parts: dict[str, str | None], which: str, half_before: str | None) -> str:
    hour = int(parse_numeral(parts[f"h{which}"] or "0") or 0)
    half = parts[f"p{which}"] or half_before or ""
    if half in _HALVES and 0 < hour < (11 if half == "中午" else 12):
        hour += 12
    minute = (parts[f"n{which}"] or "").rstrip("分")
    return f"{hour:02}:{int({'半': '30', '整': '0', '': '0'}.get(minute, minute)):02}"
