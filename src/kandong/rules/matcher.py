"""Finding a rule's words in one text, in three views, with the sentence around each find.

Owns: what counts as found and what is only a look-alike. Must not know: verdicts, posts. Linear in the text's length
for every rule; at most ``MAX_FINDS`` places are kept for a rule in a text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from kandong.rules.normalise import NormalisedText, View
from kandong.rules.patterns import Pattern
from kandong.rules.rule import Exemption, Match, Rule

MAX_FINDS = 100
_MAX_GAP_CHARACTERS = 3
_MIN_SPACED_GAPS = 2
_SENTENCE = re.compile(r"[^。！？!?；;\n]+")
# Chinese punctuation is no disguise.
_ORDINARY_PUNCTUATION = str.maketrans("：，！？；（）￥", ":,!?;()¥")
_CLAUSE_ENDS = frozenset("，。！？；：、,!?;:\n")


@dataclass(frozen=True)
class Found:
    """Words of a match at ``[start, end)`` of the text as given; ``term`` is what they stand for."""

    match: Match
    start: int
    end: int
    quote: str
    term: str

    @property
    def is_disguised(self) -> bool:
        """Tell whether the spelling is not the term itself."""
        return self.quote.translate(_ORDINARY_PUNCTUATION).casefold() != self.term


class SearchedText:
    """One text with its views and sentences, made once for all rules."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.views = NormalisedText(text)
        self._sentences = [match.span() for match in _SENTENCE.finditer(text)] or [(0, len(text))]
        self._starts = [start for start, _ in self._sentences]
        self._sentence_views: dict[int, View] = {}
        self._present: dict[tuple[int, str], bool] = {}
        self._anywhere: dict[str, bool] = {}
        self._spans: dict[tuple[int, str], list[tuple[int, int]]] = {}

    def find(self, rule: Rule, *, in_ads: bool, source: str = "post_text", is_trusted: bool = True) -> list[Found]:
        """Find the places where a rule's words stand, innocent look-alikes left out, in the order of the text.

        Of text that is not trusted look-alikes are found too, as its own words may have been chosen to make them so.
        """
        found: list[Found] = []
        for match in rule.matches:
            if (match.in_ads and not in_ads) or (match.sources and source not in match.sources):
                continue
            kept = 0
            for one in self._find_match(match):
                if kept == MAX_FINDS:
                    break
                if (is_trusted and self._is_innocent(rule, one)) or _is_covered(one, found):
                    continue
                found.append(one)
                kept += 1
        return sorted(found, key=lambda one: (one.start, one.end))

    def is_exempt(self, exemption: Exemption, found: Found) -> bool:
        """Tell whether an exemption's words contain the find, or stand in its sentence, as its scope asks."""
        if exemption.scope == "sentence":
            return self._is_in_sentence(exemption.words, found.start)
        return self._is_inside(exemption.words, found)

    def has(self, pattern: Pattern) -> bool:
        """Tell whether a pattern is anywhere in the text."""
        if pattern.source not in self._anywhere:
            self._anywhere[pattern.source] = pattern.is_in(self.views.plain)
        return self._anywhere[pattern.source]

    def _find_match(self, match: Match) -> Iterator[Found]:
        if match.words is not None:
            yield from self._in_view(match, match.words, self.views.plain)
        if match.joined_words is not None:
            for one in self._in_view(match, match.joined_words, self.views.joined):
                if _is_one_word(one.quote):
                    yield one
        if match.sounds is not None:
            yield from self._by_sound(match, match.sounds)

    def _in_view(self, match: Match, pattern: Pattern, view: View) -> Iterator[Found]:
        for first, last in pattern.spans(view):
            start, end = view.original_span(first, last)
            yield Found(match, start, end, self.text[start:end], view.text[first:last])

    def _by_sound(self, match: Match, pattern: Pattern) -> Iterator[Found]:
        for first, last in pattern.spans(self.views.sounds):
            start, end = self.views.sounds.original_span(first, last)
            term = match.sounding_terms[self.views.sounds.text[first:last]]
            if _is_one_word(self.text[start:end]):
                yield Found(match, start, end, self.text[start:end], term)

    def _is_innocent(self, rule: Rule, found: Found) -> bool:
        if found.match.unless is not None and self._is_in_sentence(found.match.unless, found.start):
            return True
        return rule.negatives is not None and self._is_inside(rule.negatives, found)

    def _is_inside(self, pattern: Pattern, found: Found) -> bool:
        return any(start <= found.start and found.end <= end for start, end in self._spans_near(pattern, found))

    def meets(self, pattern: Pattern, found: Found) -> bool:
        """Tell whether a pattern shares characters with a find, in the sentence where this begins."""
        return any(start < found.end and found.start < end for start, end in self._spans_near(pattern, found))

    def _spans_near(self, pattern: Pattern, found: Found) -> list[tuple[int, int]]:
        index = self._sentence_index(found.start)
        key = (index, pattern.source)
        if key not in self._spans:
            view = self._sentence_view(index)
            offset = self._sentences[index][0]
            spans = (view.original_span(first, last) for first, last in pattern.spans(view))
            self._spans[key] = [(start + offset, end + offset) for start, end in spans]
        return self._spans[key]

    def _is_in_sentence(self, pattern: Pattern, position: int) -> bool:
        key = (self._sentence_index(position), pattern.source)
        if key not in self._present:
            self._present[key] = pattern.is_in(self._sentence_view(key[0]))
        return self._present[key]

    def _sentence_index(self, position: int) -> int:
        return max(0, bisect_right(self._starts, position) - 1)

    def _sentence_view(self, index: int) -> View:
        if index not in self._sentence_views:
            start, end = self._sentences[index]
            self._sentence_views[index] = NormalisedText(self.text[start:end]).plain
        return self._sentence_views[index]


def _is_covered(one: Found, found: list[Found]) -> bool:
    return any(one.start < other.end and other.start < one.end for other in found)


def _is_one_word(quote: str) -> bool:
    """Tell whether what stands between the letters of a quote can be a disguise rather than the end of a clause.

    Marks that end a clause join nothing, unless something stands between every two characters: 全、网、最、低.
    """
    gaps = [len(gap) for gap in re.split(r"[^\W_]", quote)[1:-1]]
    marks = [character for character in quote if not character.isalnum()]
    if max(gaps, default=0) > _MAX_GAP_CHARACTERS:
        return False
    is_spaced_out = len(gaps) >= _MIN_SPACED_GAPS and all(gaps)
    return is_spaced_out or not _CLAUSE_ENDS.intersection(marks)
