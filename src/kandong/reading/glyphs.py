"""Glyphs: simplified forms of traditional characters, and glyphs that OCR invents put right.

Owns: the 1:1 mapping to simplified characters, and which readings are known to be wrong. Must not know: pictures.

PP-OCR was trained on simplified and traditional print alike and now and then gives 減 for 减 or 凈 for 净 in a line
that is otherwise simplified, and 内店 for 门店. The caller
records whatever is changed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import opencc

# Blocks of Chinese characters whose members are looked up: extension A, the main block, compatibility forms.
_BLOCKS: Final = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000), range(0xF900, 0xFB00))
# So few traditional glyphs by simplified ones are taken for invented.
_MAX_INVENTED_SHARE: Final = 0.2
# 内店 after these is two words (国内店铺); at the start of a line, or after others, it is a misread 门店.
_INSIDE: Final = "国境市省区城场校室站岛海县镇村户院园圈厅港年月日周天时以之关对馆疆省体车楼厂商店"
# A line that is an amount but for its first glyph, which is what a struck or small ￥ is taken for.
_AMOUNT: Final = re.compile(r"[Y关羊半芋夫大平V]\d{1,6}(?:\.\d{1,2})?")
# The same within a line: a letter between what asks for a price and an amount.
_PRICED: Final = re.compile(r"(?<=[价金后：: ])[VvYyW@](?=\d{1,6}(?:\.\d{1,2})?(?![A-Za-z\d.]))")
# Behind the name of a price no letter can stand before an amount, so that there the recogniser may be sure of it.
_NAMED_PRICE: Final = re.compile(r"(?:价|[定订押]金)[：: ]?([VvYy])(?=\d{1,6}(?:\.\d{1,2})?(?![A-Za-z\d.]))")
# Letters that look alike in both cases: vX and Vx before a colon are vx, VX only where the recogniser was in doubt.
_CONTACT: Final = re.compile(r"(?<![A-Za-z])(?:vX|Vx|VX)(?=[:：])")
_DOOR: Final = re.compile(f"(?<![{_INSIDE}])内(?=店)")
# Worn, the 。 behind a sentence becomes a point. Who types a point there is read as surely as the print is sharp.
_POINT_AT_END: Final = re.compile(r"(?<=[\u4e00-\u9fff])\.$")
_MIN_SENTENCE_HAN: Final = 5
_MIN_FULL_STOP_CONF: Final = 0.03


@dataclass(frozen=True)
class GlyphChange:
    """One character put right; ``index`` counts characters of the line."""

    index: int
    raw: str
    text: str
    reason: str  # "traditional", "door", "currency", "case" or "stop"; "list" and "word" elsewhere


def to_simplified(text: str) -> str:
    """Replace each traditional character by its simplified form, one for one; the length stays the same."""
    return text.translate(_table())


def is_invented(character: str) -> bool:
    """Whether a character is a traditional form that does not occur in simplified print (著 and 乾 do)."""
    simplified = to_simplified(character)
    return simplified != character and not _in_gb2312(character) and _in_gb2312(simplified)


def is_simplified_print(lines: Sequence[str]) -> bool:
    """Whether the lines of one picture are simplified Chinese with at most a few stray traditional glyphs."""
    simplified = _simplified_only()
    num_simplified = sum(character in simplified for line in lines for character in line)
    num_traditional = sum(is_invented(character) for line in lines for character in line)
    return num_simplified > 0 and num_traditional <= max(1, _MAX_INVENTED_SHARE * num_simplified)


def glyph_changes(text: str, runners_up: Sequence[str], *, simplified_print: bool) -> list[GlyphChange]:
    """Name the characters of a line to put right.

    ``runners_up`` holds the recogniser's second choice for each character: a traditional form is also replaced when its
    simplified form was the second choice, even where nothing else tells the script.
    """
    changes = []
    for index, (character, runner_up) in enumerate(zip(text, runners_up, strict=True)):
        if is_invented(character):
            simplified = to_simplified(character)
            if simplified_print or runner_up == simplified:
                changes.append(GlyphChange(index, character, simplified, "traditional"))
    if simplified_print:
        changes += [GlyphChange(found.start(), "内", "门", "door") for found in _DOOR.finditer(text)]
    if _AMOUNT.fullmatch(text) and (text[0] == "Y" or runners_up[0] in {"¥", "￥"}):
        changes.append(GlyphChange(0, text[0], "¥", "currency"))
    for found in _CONTACT.finditer(text):
        pair, doubts = found.group(), runners_up[found.start() : found.end()]
        if not pair.isupper() or {"v", "x"} & set(doubts):
            places = range(found.start(), found.end())
            changes += [GlyphChange(i, text[i], text[i].lower(), "case") for i in places if text[i].isupper()]
    return changes


def currency_changes(text: str, others: Sequence[Collection[str]]) -> list[GlyphChange]:
    """Name letters of a line that stand where a currency sign does.

    ``others`` holds what else each place may be; the sign must be among it, unless the letter stands between the name
    of a price and its amount.
    """
    places = {found.start() for found in _PRICED.finditer(text) if {"¥", "￥"} & set(others[found.start()])}
    places |= {found.start(1) for found in _NAMED_PRICE.finditer(text)}
    return [GlyphChange(i, text[i], "¥", "currency") for i in sorted(places)]


def num_han(text: str) -> int:
    """Count the Chinese characters of the main block."""
    return sum("\u4e00" <= character <= "\u9fff" for character in text)


def full_stop_change(text: str, others: Collection[tuple[str, float]]) -> GlyphChange | None:
    """Name the point behind a sentence of Chinese that should be 。; ``others`` is what else the last place may be."""
    is_sentence = num_han(text) >= _MIN_SENTENCE_HAN
    if not is_sentence or not _POINT_AT_END.search(text) or dict(others).get("。", 0.0) < _MIN_FULL_STOP_CONF:
        return None
    return GlyphChange(len(text) - 1, ".", "。", "stop")


@cache
def _table() -> dict[int, str]:
    """Map code points of traditional characters by OpenCC's tables, without phrases, which might change lengths."""
    characters = [chr(code) for block in _BLOCKS for code in block]
    converted = opencc.OpenCC("t2s").convert("\n".join(characters)).split("\n")
    pairs = zip(characters, converted, strict=True)
    return {ord(before): after for before, after in pairs if before != after and len(after) == 1}


@cache
def _simplified_only() -> frozenset[str]:
    """Simplified forms that are not traditional characters themselves, such as 满 and 减 (but not 里 or 后)."""
    forms = {after for before, after in _table().items() if is_invented(chr(before))}
    traditional = set(opencc.OpenCC("s2t").convert("\n".join(sorted(forms))).split("\n"))
    return frozenset(forms - traditional)


def _in_gb2312(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
