"""From generated tokens to streamed text.

Owns: holding back half a character and half a stop string, so that every piece is final. Must not know: sampling,
graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

REPLACEMENT = "\ufffd"
Decode = Callable[[Sequence[int]], str]


class TextStream:
    """Text of one answer, grown token by token. The pieces together are exactly ``text``."""

    def __init__(self, decode: Decode, stop: Sequence[str] = ()) -> None:
        self._decode = decode
        self._stop = tuple(stop)
        self._ids: list[int] = []
        # Ids before _base are decoded for good; those from _base to _ready are context for the next ones.
        self._base = 0
        self._ready = 0
        self._text = ""
        self._num_sent = 0
        self.stopped_by: str | None = None

    @property
    def text(self) -> str:
        """All text so far, up to a stop string."""
        return self._text

    def push(self, token_id: int) -> str:
        """Add a token; returns the text that became certain, which may be empty."""
        if self.stopped_by is not None:
            return ""
        self._ids.append(token_id)
        before = self._decode(self._ids[self._base : self._ready])
        now = self._decode(self._ids[self._base :])
        # A character may be split over up to four tokens; its first bytes decode to a replacement character.
        if now.endswith(REPLACEMENT) and self._num_pending() < 8:
            return ""
        return self._grow(now[len(before) :])

    def finish(self) -> str:
        """End the answer; returns what was still held back."""
        piece = ""
        if self.stopped_by is None and self._num_pending():
            before = self._decode(self._ids[self._base : self._ready])
            piece = self._grow(self._decode(self._ids[self._base :])[len(before) :])
        piece += self._text[self._num_sent :]
        self._num_sent = len(self._text)
        return piece

    def _num_pending(self) -> int:
        return len(self._ids) - self._ready

    def _grow(self, new: str) -> str:
        self._base, self._ready = self._ready, len(self._ids)
        searched_from = max(0, len(self._text) - max((len(s) for s in self._stop), default=0))
        self._text += new
        hits = [(place, s) for s in self._stop if (place := self._text.find(s, searched_from)) >= 0]
        if hits:
            place, self.stopped_by = min(hits)
            self._text = self._text[:place]
            safe = place
        else:
            safe = len(self._text) - self._num_held_back()
        piece = self._text[self._num_sent : safe] if safe > self._num_sent else ""
        self._num_sent = max(self._num_sent, safe)
        return piece

    def _num_held_back(self) -> int:
        """Length of the longest end of the text that could be the beginning of a stop string."""
        longest = 0
        for s in self._stop:
            for length in range(min(len(s) - 1, len(self._text)), longest, -1):
                if self._text.endswith(s[:length]):
                    longest = length
                    break
        return longest
