"""Finding words in conversations.

Owns: how a search is taken apart, the index, and the piece of text around a hit. Must not know: HTTP.

The index holds every three characters in a row, because Chinese has no spaces to split at. Words shorter than that are
looked for in the owner's texts one by one, which takes milliseconds for thousands of messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kandong.store.database import Database

_INDEXED_CHARS: Final = 3
_MAX_WORDS: Final = 8
_MAX_WORD_CHARS: Final = 100
_BEFORE_CHARS, _AFTER_CHARS = 16, 64
_LIVE_OF_OWNER: Final = "messages.superseded_in IS NULL AND conversations.owner = ? AND conversations.deleted_s IS NULL"
_OF_CONVERSATION: Final = "JOIN conversations ON conversations.number = messages.conversation"


@dataclass(frozen=True)
class Found:
    """``snippet`` is text around the first word; ``None`` if it stands only in the title."""

    snippet: str | None


def find_words(database: Database, owner: str, words: str) -> dict[int, Found]:
    """Give the conversations, by number, in whose title or messages each of the words stands; case does not matter."""
    wanted = list(dict.fromkeys(word[:_MAX_WORD_CHARS] for word in words.split()))[:_MAX_WORDS]
    found: dict[int, Found] = {}
    for i, word in enumerate(wanted):
        hits = _find_one(database, owner, word)
        found = hits if i == 0 else {n: _better(found[n], hits[n]) for n in found.keys() & hits.keys()}
    return found


def _better(first: Found, second: Found) -> Found:
    return first if first.snippet is not None else second


def _find_one(database: Database, owner: str, word: str) -> dict[int, Found]:
    titled = database.rows(
        "SELECT number FROM conversations WHERE owner = ? AND deleted_s IS NULL AND instr(lower(title), lower(?))",
        (owner, word),
    )
    found = {number: Found(None) for (number,) in titled}
    # Of several messages the newest counts, as later rows replace earlier ones.
    if len(word) >= _INDEXED_CHARS:
        rows = database.rows(
            "SELECT messages.conversation, messages.text FROM message_words"
            f" JOIN messages ON messages.number = message_words.rowid {_OF_CONVERSATION}"
            f" WHERE message_words MATCH ? AND {_LIVE_OF_OWNER} ORDER BY messages.number",
            ('"' + word.replace('"', '""') + '"', owner),
        )
    else:
        rows = database.rows(
            f"SELECT messages.conversation, messages.text FROM messages {_OF_CONVERSATION}"
            f" WHERE {_LIVE_OF_OWNER} AND instr(lower(messages.text), lower(?)) ORDER BY messages.number",
            (owner, word),
        )
    return found | {number: Found(_snippet(text, word)) for number, text in rows}


def _snippet(text: str, word: str) -> str:
    at = max(0, text.lower().find(word.lower()))
    start = max(0, at - _BEFORE_CHARS)
    end = min(len(text), at + len(word) + _AFTER_CHARS)
    piece = " ".join(text[start:end].split())
    return ("…" if start else "") + piece + ("…" if end < len(text) else "")
