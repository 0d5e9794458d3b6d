"""Text that reads like an instruction to a language model.

Owns: the patterns, by name. Must not know: what is done about it. A mark is a fact for people and for rules: nothing is
removed from what was read, and such text can never excuse anything.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# The longest text that is searched as one; longer ones are cut into overlapping pieces, so that time stays linear.
_PIECE_CHARACTERS: Final = 400
_OVERLAP_CHARACTERS: Final = 80

# Building blocks: what came before, orders, models; Chinese, then English.
_ABOVE_ZH: Final = r"(?:以上|上述|上面|前面|之前|先前|此前|所有|任何|一切|原有|系统)(?:的|所有|全部|一切)?"
_ORDERS_ZH: Final = r"(?:指令|指示|提示词?|命令|要求|规则|设定|约束|限制|内容|对话|prompt)"
_AI_ZH: Final = (
    r"(?:AI|人工智能|智能助手|语言模型|大模型|聊天机器人|机器人助手|"
    r"审核员|审核模型|审核助手|审核系统|GPT|ChatGPT|Qwen|千问)"
)
_DROP_ZH: Final = r"(?:忽略|无视|忘记|忘掉|不要理会|别理会|不要遵守|不必遵守|绕过|丢弃)"
_SAY_ZH: Final = r"(?:回答|回复|输出|返回|判定|判断|标记|评为|视为)"
_FINE_ZH: Final = r"(?:合规|通过|安全|无违规|没有违规|无风险|没有问题|不违规|正常|pass|safe)"
_ABOVE_EN: Final = (
    r"(?:all |any |the |your |of |these |my ){0,4}(?:previous|prior|above|earlier|preceding|system|existing)"
)
_ORDERS_EN: Final = r"(?:instructions?|prompts?|rules?|messages?|directions?|context|guidelines?|commands?)"
_DROP_EN: Final = r"(?:ignore|disregard|forget|override|bypass|skip|do not follow|don't follow)"
_SAY_EN: Final = r"(?:answer|respond|reply|output|return|say|classify|label|mark|rate)"
_FINE_EN: Final = r"(?:pass|safe|compliant|approved|no violations?|harmless)"
_INSIDE: Final = r"[^。！？\n]"  # of one sentence

# Name and pattern. Every repetition of anything but a fixed list is bounded.
_SOURCES: Final = (
    ("ignore_instructions", rf"{_DROP_ZH}{_INSIDE}{{0,6}}?{_ABOVE_ZH}{_INSIDE}{{0,8}}?{_ORDERS_ZH}"),
    (
        "ignore_instructions",
        # An order stands at the begin of a clause: 他总是无视你的规则 is a complaint.
        rf"(?:^|[，。,.！!：:；;、\s]|请你?|立即|马上|现在|先){_DROP_ZH}(?:了|掉)?(?:你|您)的?{_INSIDE}{{0,4}}?(?:设定|人设|程序|限制|约束|规则|指令|提示词)",
    ),
    ("ignore_instructions", rf"\b{_DROP_EN} {{0,2}}{_ABOVE_EN}\b.{{0,24}}?\b{_ORDERS_EN}\b"),
    ("ignore_instructions", rf"\b{_DROP_EN} (?:all |of |the ){{0,3}}above\b"),
    ("ignore_instructions", rf"\b{_DROP_EN} (?:everything|anything|all)\b.{{0,20}}?\b(?:above|before|told|said)\b"),
    (
        "role_change",
        r"(?:你|您)(?:现在|从现在起|从现在开始|接下来)?(?:就)?(?:是|扮演|充当|将作为)(?:一个|一名|一位)?"
        rf"{_INSIDE}{{0,10}}?{_AI_ZH}",
    ),
    ("role_change", r"(?:从现在(?:起|开始)|接下来)[，, ]{0,2}(?:你|您)(?:就)?(?:是|必须|只能|要|将)"),
    ("role_change", r"\b(?:you are now|from now on,? you|pretend (?:to be|you are)|roleplay as)\b"),
    ("role_change", r"\b(?:you are|act as) (?:an?|the) .{0,20}?\b(?:ai|assistant|model|chatbot|moderator|gpt)\b"),
    ("system_prompt", r"系统提示词?|系统消息|系统指令|开发者模式|越狱模式|提示词注入"),
    ("system_prompt", r"\b(?:system|developer) (?:prompt|message|mode|instructions?)\b|\bjailbreak\b"),
    ("system_prompt", r"\bprompt injection\b"),
    ("control_token", r"<\|[a-z_]{2,20}\|>|\[/?INST\]|<</?SYS>>|</?(?:system|assistant|tool_call)>"),
    ("control_token", r"^\s{0,4}(?:system|assistant)\s{0,2}[:：]"),
    ("reveal_prompt", rf"(?:输出|显示|泄露|打印|重复|告诉我){_INSIDE}{{0,8}}?(?:提示词|初始指令|系统设定)"),
    (
        "reveal_prompt",
        r"\b(?:reveal|print|repeat|show|output|leak)\b.{0,20}?\b(?:system|initial|hidden|your)\b"
        rf".{{0,12}}?\b{_ORDERS_EN}\b",
    ),
    (
        "dictated_verdict",
        rf"(?:请|必须|直接|只需|只能|务必|一律|应当?|始终){_INSIDE}{{0,8}}?{_SAY_ZH}{_INSIDE}{{0,12}}?{_FINE_ZH}",
    ),
    ("dictated_verdict", rf"\b{_SAY_EN}\b.{{0,30}}?\b{_FINE_EN}\b"),
    (
        "addresses_model",
        rf"(?:致|亲爱的|给|请|提示|告知)(?:各位)?{_AI_ZH}{_INSIDE}{{0,10}}?"
        r"(?:注意|请|务必|阅读|审核|回答|忽略|执行|：|:)",
    ),
    (
        "addresses_model",
        r"\b(?:dear|attention|note to|hey|hello) "
        r"(?:ai|llm|gpt|chatgpt|assistant|language model|model|moderator)\b",
    ),
    ("addresses_model", r"\bas an? (?:ai|language model|llm)\b"),
)
_PATTERNS: Final = tuple((name, re.compile(source, re.IGNORECASE)) for name, source in _SOURCES)


@dataclass(frozen=True)
class InstructionMark:
    """A place that reads like an instruction: the pattern's name, and the characters ``start`` to ``end``."""

    pattern: str
    start: int
    end: int


def find_instructions(text: str) -> list[InstructionMark]:
    """Find what reads like an instruction to a model, in order of place; each pattern at most once a place.

    Full-width letters and zero-width characters inside words do not hide it. Places count characters of ``text``.
    """
    folded, places = _fold(text)
    marks: dict[tuple[str, int], InstructionMark] = {}
    for begin in range(0, max(1, len(folded)), _PIECE_CHARACTERS):
        piece = folded[begin : begin + _PIECE_CHARACTERS + _OVERLAP_CHARACTERS]
        for name, pattern in _PATTERNS:
            for found in pattern.finditer(piece):
                start, last = places[begin + found.start()], places[begin + found.end() - 1]
                marks.setdefault((name, start), InstructionMark(name, start, last + 1))
    return sorted(marks.values(), key=lambda mark: (mark.start, mark.pattern))


def find_instructions_in_lines(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Find instructions in the lines of a picture, also where a line break falls into one.

    Gives pairs of line number and pattern name, in order, each once.
    """
    text = "".join(lines)
    spaced = " ".join(lines)
    found = {(number, mark.pattern) for number, line in enumerate(lines) for mark in find_instructions(line)}
    for joined, gap in ((text, 0), (spaced, 1)):
        ends = []
        reach = 0
        for line in lines:
            reach += len(line) + gap
            ends.append(reach)
        for mark in find_instructions(joined):
            found |= {
                (number, mark.pattern)
                for number, end in enumerate(ends)
                if mark.start < end and mark.end > end - len(lines[number]) - gap
            }
    return sorted(found)


def _fold(text: str) -> tuple[str, list[int]]:
    """Fold width and drop invisible characters; gives the folded text and for each character its place in ``text``."""
    folded: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if unicodedata.category(character) == "Cf":
            continue
        for plain in unicodedata.normalize("NFKC", character):
            folded.append(plain)
            places.append(place)
    return "".join(folded), places
