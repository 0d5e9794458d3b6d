"""Cue words of sentiment in Chinese posts: praise, complaint, irony, demands, and things said to be missing or broken.

Owns: the words, and how negation turns them. Must not know: models, pictures. Written for shop posts and complaints;
what it cannot see (an allusion, an emoji's mood) is left to the model or said to be unchecked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Expected = Literal["present", "absent", "state"]

_GOOD: Final = (
    "满意|喜欢|好用|好吃|好看|不错|很好|太好|推荐|惊喜|划算|超值|值得|开心|感谢|回购|舒服|精致|完美|真香|爱了|赞|给力|贴心|"
    "漂亮|新鲜|耐用|靠谱|正品|很棒|太棒|太香|点赞|好评|性价比高"
)
_BAD: Final = (
    "差评|失望|难吃|难用|难看|垃圾|骗|假货|破损|坏了|坏的|碎了|漏了|漏发|少发|没收到|没有收到|不理|投诉|退款|退货|后悔|"
    "生气|气死|恶心|异味|臭|脏|过期|发霉|变质|掉色|开裂|太贵|坑|敷衍|态度差|太慢|不值|翻车|踩雷|避雷|无语|欺骗|虚假|"
    "过敏|刺痛|不好用|不好吃|烂|差劲|糟糕|维权|划痕|缺货"
)
_CUES: Final = re.compile(
    rf"(?P<no>不太?|没有?|不是很?|并不|毫不|不怎么|一点都不)?(?:是|很|太|多么)?(?:(?P<good>{_GOOD})|(?P<bad>{_BAD}))"
)
_SARCASM: Final = re.compile(
    r"呵呵|哈？|真是(?:好|棒|优秀|厉害)(?:极了|啊|呢)|可真(?:行|棒|会|好)|谢谢你(?:啊|哦|们)|我谢谢|笑死|服了|佩服|"
    r"绝了(?=[，。！!]?.{0,8}(?:没|不|坏|差))|“(?:好评|正品|全新|赠品|客服|服务)”|真有你的|不愧是|好一个|🙃|🙂"
)
_DEMANDS: Final = (
    ("refund", re.compile(r"退款|退钱|退货|退一赔|赔偿|赔我|赔付|假一赔")),
    ("resend", re.compile(r"补发|重发|补寄|换货|换新|换一[个件]|补给我|补上")),
    ("reply", re.compile(r"(?:给个|给我)?(?:说法|解释|回复|答复)|客服.{0,6}(?:不理|不回|没回)|联系我|请回复|出来")),
)
_URGENT: Final = (
    ("high", re.compile(r"立即|马上|立刻|今天(?:之内|内|必须)|12315|315|报警|起诉|律师|曝光|再不.{0,6}就")),
    ("medium", re.compile(r"尽快|抓紧|急|催|[!！]{2,}|三天|好几天|一周了|至今")),
)
_THING: Final = r"(?P<thing>[一-龥A-Za-z]{2,6}?)"
_END: Final = r"(?=[，,。.！!？?；;~～\s呢啊了吗吧的]|都没|也没|$)"
_LACKING: Final = r"没有?(?:收到|看到|见到|送|发|给|赠|放)|漏发了?|少发了?|少了|缺了|没给"
_CLAIMS: Final[tuple[tuple[Expected, re.Pattern[str]], ...]] = (
    ("absent", re.compile(rf"说好的?(?:送|有|给)?(?:的)?{_THING}(?:呢|没有?|在哪|去哪)")),
    ("absent", re.compile(rf"(?:{_LACKING})(?:说好的|任何|那个|我的?)?{_THING}{_END}")),
    ("absent", re.compile(rf"没有(?:说好的|任何)?{_THING}{_END}")),
    ("state", re.compile(r"(?P<thing>[一-龥A-Za-z]{0,4}?)(?:破损|坏了|碎了|裂开?了|漏了|压扁了?|发霉|变质|划痕)")),
    ("present", re.compile(rf"(?:还送了?|送了|附赠了?|里面有){_THING}{_END}")),
)
# What people lack without a photo being able to show it.
_NO_THINGS: Final = frozenset(
    (
        *(
            "任何",
            "问题",
            "什么",
            "一点",
            "办法",
            "效果",
            "时间",
            "人理",
            "人管",
            "回复",
            "收到",
            "看到",
            "用处",
            "必要",
        ),
        *(
            "意思",
            "感觉",
            "想到",
            "想象",
            "关系",
            "区别",
            "毛病",
            "消息",
            "异味",
            "东西",
            "下文",
            "结果",
            "道理",
            "诚意",
        ),
        *("必要", "诚意", "理由", "提到", "说明", "解释", "反应", "过敏", "变化"),
    )
)
_ASPECT_WORDS: Final = {
    "物流": "物流|快递|发货|配送",
    "包装": "包装|盒子|箱子",
    "质量": "质量|做工|材质",
    "服务": "客服|服务|态度",
    "价格": "价格|便宜|贵|划算|性价比",
    "赠品": "赠品|赠送|送的",
    "效果": "效果|好用|难用",
    "味道": "味道|好吃|难吃|口感",
}
_CLAUSE: Final = re.compile(r"[^，,。.！!？?；;\n]{1,60}")


@dataclass(frozen=True)
class Claim:
    """Something that a post says of things that a photo could show. ``state`` is damage."""

    text: str
    object: str
    expected: Expected


@dataclass(frozen=True)
class Cues:
    """What cue words tell. ``aspects`` are (aspect, polarity, clause)."""

    claims: tuple[Claim, ...]
    sarcasm: tuple[str, ...]
    demand: str | None
    urgency: str | None
    aspects: tuple[tuple[str, str, str], ...]


def polarity_of(text: str) -> tuple[str, float]:
    """Give the polarity of words, and a score from -1 to 1, by counting cue words and their negations."""
    good = bad = 0
    for match in _CUES.finditer(text):
        is_good = (match["good"] is not None) is not (match["no"] is not None)
        good, bad = good + is_good, bad + (not is_good)
    if not good and not bad:
        return "neutral", 0.0
    score = round((good - bad) / (good + bad), 2)
    if good and bad and abs(score) < 0.5:
        return "mixed", score
    return ("positive" if score > 0 else "negative"), score


def find_cues(text: str) -> Cues:
    """Find claims, irony, demand, urgency and aspects in a post's words."""
    claims: dict[tuple[str, str], Claim] = {}
    for expected, pattern in _CLAIMS:
        for match in pattern.finditer(text):
            thing = match["thing"].removesuffix("的") or "商品"
            if thing not in _NO_THINGS and not any(thing in known or known in thing for _, known in claims):
                claims[expected, thing] = Claim(match[0], thing, expected)
    sarcasm = tuple(dict.fromkeys(match[0] for match in _SARCASM.finditer(text)))
    demand = next((name for name, pattern in _DEMANDS if pattern.search(text)), None)
    urgency = next((name for name, pattern in _URGENT if pattern.search(text)), None)
    return Cues(tuple(claims.values()), sarcasm, demand, urgency, tuple(_aspects(text)))


def _aspects(text: str) -> list[tuple[str, str, str]]:
    found = []
    for clause in _CLAUSE.findall(text):
        polarity, _ = polarity_of(clause)
        if polarity != "neutral":
            found += [(name, polarity, clause) for name, words in _ASPECT_WORDS.items() if re.search(words, clause)]
    return found[:6]
