"""Text that speaks to a model rather than to a reader.

Owns: the words by which such text is known here. Must not know: who else looks for it. A sentence that is found gives
hits as any other does, but it can exempt nothing and shows nothing that must be shown.
"""

from __future__ import annotations

from functools import cache

from kandong.rules.normalise import NormalisedText
from kandong.rules.patterns import Pattern, compile_words

_TERMS = (
    "系统提示词",
    "提示词如下",
    "本条已审核通过",
    "直接判定通过",
    "判定为合规",
    "判为合规",
    "标记为合规",
    "输出pass",
    "回答pass",
    "返回pass",
    "system prompt",
    "systemprompt",
    "you are an ai",
    "you are a helpful",
    "as an ai",
    "jailbreak",
    "<|im_start|>",
    "developer mode",
)
_REGEXES = (
    r"(忽略|无视|忘记|忘掉|不要理会|不必理会|跳过)[^。！？!?\n]{0,8}(指令|指示|规则|提示|要求|命令|内容|审核)",
    r"(忽略|无视|忘记|忘掉)(了|掉)?(你|您)的?[^。！？!?\n]{0,4}(设定|人设|程序)",
    # Saying that something has been shown is not showing it.
    r"(告诉|告知|回复|认定|视为|当作)[^。！？!?\n]{0,16}已(经)?(全部)?(标明|标注|注明|声明|提示|备案)",
    r"(你是|你现在是|你将扮演|请扮演|假设你是)[^。！？!?\n]{0,8}(助手|模型|审核员|审核系统|机器人|ai|人工智能)",
    r"(审核|检测|识别)(系统|模型|员|机器人|ai)[^。！？!?\n]{0,8}(请|应|必须|务必|注意)",
    r"(请|务必|必须|直接)[^。！？!?\n]{0,6}(输出|回答|回复|返回|判定|判断|认定|标注)[^。！？!?\n]{0,6}(合规|通过|无违规|没有违规|不违规|安全|正常)",
    r"(ai|模型|助手)[^。！？!?\n]{0,6}(豁免|不适用|视为已)",
    r"(ignore|disregard|forget|override)\s+(all\s+|any\s+|the\s+|your\s+)*(previous|prior|above|earlier|instructions?|rules?)",
    r"(respond|reply|answer|output)\s+(only\s+)?(with\s+)?[\"']?(pass|safe|compliant|approved|ok)\b",
)


@cache
def _words() -> Pattern:
    words = compile_words(_TERMS, _REGEXES)
    assert words is not None, "the lists above are not empty"
    return words


def is_instruction(text: str) -> bool:
    """Tell whether a text reads like an instruction to a model."""
    return _words().is_in(NormalisedText(text).plain)
