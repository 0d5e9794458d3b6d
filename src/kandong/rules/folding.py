"""Characters that people put in place of others, and what they stand for.

Owns: the tables. Must not know: rules, texts. Every entry is one that hides a word from a plain search; characters
that are in ordinary use for themselves are not folded here but matched by sound, where a pack names the term.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import chain

from opencc import OpenCC

# Not covered by NFKC: characters that look like, or are only used in place of, the one on the right.
LOOK_ALIKES = {
    **dict(zip("蕞朂嗺囯囻囗仝佺咣孑溦嶶霺酔覀臫萅忄", "最最最国国口全全光子微微微醉西自春心", strict=True)),
    **dict(zip("аеорсухкмтвнѵіјѕԛԝ", "aeopcyxkmtbnvijsqw", strict=True)),  # Cyrillic
    **dict(zip("αβενικορτυχω", "abevikoptuxw", strict=True)),  # Greek
    "〇": "0",
    "∨": "v",
    "╳": "x",
    "×": "x",
}

# Emoji that stand for a word in posts.
EMOJI_WORDS = {
    "➕": "+",
    "✚": "+",
    "🛰": "卫星",
    "🐧": "qq",
    "🐎": "码",
    "🩸": "血",
    "🔝": "顶",
    "🆚": "vs",
    "💯": "100",
    "🆓": "免费",
    "🉐": "得",
    "🈵": "满",
    "🈶": "有",
    "🈚": "无",
}

# A character taken apart; only pairs that hardly ever stand side by side in ordinary words.
SPLIT_CHARACTERS = {
    "力口": "加",
    "亻言": "信",
    "言登": "证",
    "讠正": "证",
    "氵去": "法",
    "贝者": "赌",
    "弓虽": "强",
    "走召": "超",
    "禾只": "积",
    "纟色": "绝",
    "扌由": "抽",
    "氵台": "治",
    "疒丙": "病",
    "亻吏": "使",
    "木又": "权",
    "丬犬": "状",
    "亻介": "价",
    "冫咸": "减",
    "贝兼": "赚",
    "彳微": "微",
    "氵肖": "消",
    "火包": "炮",
    "纟勺": "约",
    "亻专": "传",
    "礻畐": "福",
}

_TO_SIMPLIFIED = OpenCC("t2s")
_ENCLOSED_LETTERS = ((0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26))


@cache
def fold_character(character: str) -> str:
    """Give what one character stands for: lower case, simplified, no diacritics; empty for marks and invisible ones.

    Mostly one character; compatibility characters such as ㎏ and emoji words give several. Line ends stay, other white
    space becomes a space.
    """
    if character in "\n ":
        return character
    if character in EMOJI_WORDS:
        return EMOJI_WORDS[character]
    for first, count in _ENCLOSED_LETTERS:
        if first <= ord(character) < first + count:
            return chr(ord("a") + ord(character) - first)
    composed = unicodedata.normalize("NFKC", character)
    return "".join(chain.from_iterable(map(_fold_one, composed)))


def _fold_one(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf", "Cs") or (category == "Cc" and character not in "\t\n\r\x0b\x0c"):
        return ""
    if character == "\n":
        return character
    if character.isspace():
        return " "
    if category == "No":
        value = unicodedata.numeric(character)
        return str(int(value)) if value == int(value) else character
    base = unicodedata.normalize("NFKD", character)[0]
    lowered = (base if base.isascii() else character).lower()[:1]
    simplified: str = _TO_SIMPLIFIED.convert(LOOK_ALIKES.get(lowered, lowered))
    return simplified if len(simplified) == 1 else lowered
