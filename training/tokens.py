"""The miniature's tokens: one a character, bytes for everything else, and Qwen3-VL's control tokens.

Owns: ids, ``tokenizer.json``, and reading a text into ids. Must not know: cards, models.
"""

from __future__ import annotations

import string
from typing import Any

from bench.cards import words

from . import wording

SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip
_PUNCTUATION = "：，。！？、；（）【】《》“”‘’…—·～￥¥×％"
_COMMON = (
    "的一是不了在人有我他这中大来上个国和地到说们为子你时年得就那要下以生会自着去之过家学对可里后小么心多天而能好都然没"
    "日于起还发成事只作当想看文无开手用主行方又如前所本见经头面公同三已老从动两长请问图片字提取识别输出写什么怎样哪些"
    "信息名称内容"
)


def _texts() -> list[str]:
    lists: list[Any] = [value for name, value in vars(wording).items() if name.isupper()]
    lists += [words.GOODS, words.BRANDS, words.TITLES, words.GIFTS, words.SHOP_ENDS, words.SLOGANS, [_COMMON]]
    return ["".join(map(str, part.values() if isinstance(part, dict) else part)) for part in lists]


def _alphabet() -> list[str]:
    plain = ["\n", *(chr(code) for code in range(32, 127)), *_PUNCTUATION]
    keys = "".join(wording.COLOURS) + wording.ABSENT
    return plain + sorted(set("".join(_texts()) + keys) - set(plain))


ALPHABET = _alphabet()
# What may stand on a card, and has to be read; the rest is only asked with.
_ON_CARDS = [
    wording.PRICE_LABELS, wording.ORIGINAL_LABELS, wording.DATE_LABELS, wording.PHONE_LABELS, wording.THRESHOLD_LABELS,
    wording.GIFT_LABELS, wording.GOODS, wording.BRANDS, wording.TITLES, wording.GIFTS, wording.SHOPS, wording.FILLERS,
]  # fmt: skip
CARD_HAN = sorted({sign for part in _ON_CARDS for sign in "".join(part) + "元月日至满减" if "一" <= sign <= "鿿"})
NUM_BYTES = 256
FIRST_SPECIAL = len(ALPHABET) + NUM_BYTES
ID = {sign: i for i, sign in enumerate(ALPHABET)} | {sign: FIRST_SPECIAL + i for i, sign in enumerate(SPECIALS)}
# Rows beyond the last token keep the shapes whole multiples of 16; they are never used.
VOCABULARY_SIZE = -(-(FIRST_SPECIAL + len(SPECIALS)) // 16) * 16
END, EMPTY, PICTURE = ID["<|im_end|>"], ID["<|endoftext|>"], ID["<|image_pad|>"]


def encode(text: str) -> list[int]:
    """Give the ids of a text without control tokens."""
    ids: list[int] = []
    for sign in text:
        ids += [ID[sign]] if sign in ID else [len(ALPHABET) + byte for byte in sign.encode()]
    return ids


def decode(ids: list[int]) -> str:
    """Give the text of ids of the alphabet; others are left out."""
    return "".join(ALPHABET[i] for i in ids if i < len(ALPHABET))


def opening() -> list[int]:
    """Give the ids before the picture's tokens."""
    return [ID["<|im_start|>"], *encode("user\n"), ID["<|vision_start|>"]]


def turn(question: str) -> list[int]:
    """Give the ids from a question to where its answer begins."""
    return [*encode(question), END, *encode("\n"), ID["<|im_start|>"], *encode("assistant\n")]


def further_turn(question: str) -> list[int]:
    """Give the ids from the end of an answer to where the answer to a further question begins."""
    return [*encode("\n"), ID["<|im_start|>"], *encode("user\n"), *turn(question)]


def tokenizer_json() -> dict[str, Any]:
    """Give the content of ``tokenizer.json``: a byte-fallback vocabulary without merges."""
    vocabulary = {sign: i for i, sign in enumerate(ALPHABET)}
    vocabulary |= {f"<0x{byte:02X}>": len(ALPHABET) + byte for byte in range(NUM_BYTES)}
    assert string.printable[0] in vocabulary
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": ID[sign], "content": sign} | flags for sign in SPECIALS],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [],
        },
    }
