"""Telephone numbers, WeChat and QQ ids, numbers of orders and the like.

Owns: their ways of writing. Must not know: whether giving a contact is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kandong.reading.found_number import FoundNumber

_SEP: Final = r"[-\s—.]?"
_PHONES: Final = re.compile(
    rf"(?<![\dA-Za-z.])(?:\+?86[-\s]?)?(?P<mobile>1[3-9]\d{_SEP}\d{{4}}{_SEP}\d{{4}})(?!\d|\.\d)"
    rf"|(?<![\dA-Za-z.])(?P<free>[48]00{_SEP}\d{{3,4}}{_SEP}\d{{3,4}})(?![\d元]|\.\d)"
    r"|(?<![\dA-Za-z.])\(?(?P<land>0(?:10|2\d|[3-9]\d{2})\)?[-\s—]?[2-9]\d{2,3}[-\s]?\d{4})(?!\d)"
    r"|(?<=[话线服打电])[:：\s]{0,2}(?P<short>[19]\d{4,5}|[2-8]\d{6,7}|1[12][0-9])(?![\d.元%件份个人次万年月天折])"
)
_LABELS: Final = (
    r"(?:微信号?|[微薇][❤♥💗💕]\uFE0F?信?|薇信?|威信|徽信|卫星号?|溦信?|绿泡泡|"
    r"(?<![A-Za-z])(?:wechat|weixin|vx|wx|v信|v)(?![A-Za-z]*[a-uw-z]))"
)
_WECHAT: Final = re.compile(
    rf"(?P<add>[加+➕][\s]?)?(?P<label>{_LABELS})(?P<id_word>\s?(?:id|ID|号))?"
    r"(?P<sep>[:：\s|]{0,3})(?P<id>[A-Za-z][-_A-Za-z0-9]{5,19}|\d{6,12})(?![-_A-Za-z0-9])",
    re.IGNORECASE,
)
_QQ: Final = re.compile(
    r"(?<![A-Za-z])(?:QQ|扣扣|企鹅|Q(?=群))(?:群|号|群号)?[:：\s]{0,3}(?P<id>[1-9]\d{4,11})(?!\d)", re.IGNORECASE
)
_IDS: Final = re.compile(
    r"(?:订单编?号|单号|编号|货号|条码|条形码|批号|文号|许可证号?|备案号|流水号|券码|核销码|房号|工号|SKU)"
    r"[:：\s]{0,3}(?P<id>[A-Za-z0-9][-A-Za-z0-9]{4,31})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_APPROVALS: Final = re.compile(
    r"国(?:药准字|食健[字注备]|妆特[字进]字?|妆备进字|妆网备[字进]字?|械[注备][准进许])\s?[A-Z]?\d{6,14}|(?<=ICP备)\d{6,10}(?=号)"
)
_LONG: Final = re.compile(r"(?<![\d.,A-Za-z])\d{12,32}(?![\d.])")
_NO_NAMES: Final = frozenset({"wechat", "weixin", "wechatpay", "weixinpay", "alipay"})


def find_contacts(text: str) -> Iterator[FoundNumber]:
    """Find ids after their labels, then telephone numbers, then long rows of digits."""
    for match in _QQ.finditer(text):
        yield FoundNumber(match["id"], *match.span("id"), "qq", match["id"])
    for match in _IDS.finditer(text):
        yield FoundNumber(match["id"], *match.span("id"), "id", match["id"])
    for match in _APPROVALS.finditer(text):
        yield FoundNumber(match[0], *match.span(), "id", re.sub(r"\s", "", match[0]))
    for match in _WECHAT.finditer(text):
        name = match["id"]
        is_letter = match["label"].lower() == "v"
        is_said = bool(match["add"] or match["sep"].strip() or match["id_word"])
        if name.lower() in _NO_NAMES or (is_letter and not is_said):
            continue
        is_sure = is_said or name.isdigit() or bool(match["sep"] and re.search(r"\d", name))
        yield FoundNumber(name, *match.span("id"), "wechat", name, is_uncertain=not is_sure)
    for match in _PHONES.finditer(text):
        digits = re.sub(r"\D", "", match[match.lastgroup or 0])
        is_whole = len(digits) == 10 if match.lastgroup == "free" else True
        if is_whole:
            start = match.start("short") if match["short"] else match.start()
            yield FoundNumber(match[0], start, match.end(), "phone", digits)
    for match in _LONG.finditer(text):
        yield FoundNumber(match[0], *match.span(), "id", match[0], is_uncertain=True)
