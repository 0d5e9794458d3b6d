"""Token ids as the bytes that they stand for, for log-probabilities.

Owns: reading them from a checkpoint's ``tokenizer.json`` (byte-level BPE, as all Qwen models have it). Must not know:
how text is cut into tokens.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from kandong.errors import CheckpointError
from kandong.typed_values import from_json


class _Model(msgspec.Struct):
    vocab: dict[str, int]


class _Added(msgspec.Struct):
    id: int
    content: str
    special: bool = False


class _File(msgspec.Struct):
    model: _Model
    added_tokens: list[_Added] = []


class Vocabulary:
    """All tokens of a checkpoint; reading them takes about 0.2 s for Qwen's 151,669."""

    def __init__(self, folder: Path) -> None:
        """Read the file. Errors: ``CheckpointError`` if it is missing or of another kind."""
        try:
            found = from_json((folder / "tokenizer.json").read_bytes(), _File)
        except (OSError, msgspec.DecodeError):
            raise CheckpointError("tokenizer.json cannot be used.", hint="Download that file again.") from None
        self._spellings = {number: spelling for spelling, number in found.model.vocab.items()}
        self._added = {token.id: token.content for token in found.added_tokens}
        self._controls = {token.id for token in found.added_tokens if token.special}
        self._byte_of = {character: byte for byte, character in enumerate(_characters_of_bytes())}

    def is_control(self, token_id: int) -> bool:
        """Whether a token is no text but a sign of its own, like the end of an answer."""
        return token_id in self._controls

    def bytes_of(self, token_id: int) -> bytes:
        """Give a token's bytes, perhaps only a part of a character; nothing for an id that has no token."""
        if (content := self._added.get(token_id)) is not None:
            return content.encode()
        spelling = self._spellings.get(token_id, "")
        try:
            return bytes(self._byte_of[character] for character in spelling)
        except KeyError:
            return spelling.encode()


def _characters_of_bytes() -> str:
    """Give the 256 characters that stand for bytes in a vocabulary: printable ones themselves, others from U+0100 on.

    Source: OpenAI's GPT-2 encoder, which all byte-level BPE files follow.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    rest = iter(range(0x100, 0x200))
    return "".join(chr(byte if byte in printable else next(rest)) for byte in range(256))
