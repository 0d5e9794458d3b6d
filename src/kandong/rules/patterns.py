"""Patterns that cannot run away: RE2 walks any text once, whatever the pattern.

Owns: compiling and finding. Must not know: rules. RE2 has no look-around and no back references, and refuses patterns
whose automaton would be too large, so a pack can be wrong, but never slow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from kandong.rules.normalise import View

MAX_PATTERN_CHARACTERS = 2_000
_AUTOMATON_BYTES = 16 << 20


class PatternError(ValueError):
    """A pattern cannot be used; the text says why, in words for whoever wrote the pack."""


@dataclass(frozen=True)
class Pattern:
    """Several terms and regexes as one automaton."""

    source: str
    compiled: Any

    def spans(self, view: View) -> Iterator[tuple[int, int]]:
        """Find non-empty, non-overlapping spans of a view's text, leftmost first, in linear time."""
        for match in self.compiled.finditer(view.encoded):
            start, end = match.span()
            if end > start:
                yield view.character_at(start), view.character_at(end)

    def is_in(self, view: View) -> bool:
        """Tell whether the pattern is anywhere in a view's text."""
        return self.compiled.search(view.encoded) is not None


def compile_words(terms: Sequence[str], regexes: Sequence[str] = ()) -> Pattern | None:
    """Compile terms (literal, longest first) and regexes to one pattern; ``None`` if there are none.

    Errors: ``PatternError`` naming the regex at fault.
    """
    for regex in regexes:
        _check(regex)
    literals = sorted((str(re2.escape(term)) for term in terms), key=len, reverse=True)
    source = "|".join([*literals, *(f"(?:{regex})" for regex in regexes)])
    return Pattern(source, _compile(source)) if source else None


def _check(regex: str) -> None:
    if len(regex) > MAX_PATTERN_CHARACTERS:
        raise PatternError(f"is longer than {MAX_PATTERN_CHARACTERS:,} characters")
    if any(mark in regex for mark in ("(?=", "(?!", "(?<=", "(?<!")):
        raise PatternError(
            "uses look-around, which linear-time matching has not; use `not_in`, `needs` or `unless` instead"
        )
    if _compile(regex).search(b"") is not None:
        raise PatternError("matches empty text, so it would be found everywhere")


def _compile(source: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.longest_match = True
    options.max_mem = _AUTOMATON_BYTES
    try:
        return re2.compile(source.encode(), options)
    except re2.error as error:
        detail = error.args[0] if error.args else ""
        reason = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        raise PatternError(f"cannot be compiled ({reason})") from None
