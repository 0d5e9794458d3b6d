"""Lookup drafting: guess the next tokens from text that the answer is likely to copy, and verify the guess in one step.

Owns: the index of short token runs, how long a draft may pay, and the verification of a draft. Must not know: graphs,
where the sources come from. A draft changes how fast an answer comes, never which answer or with what chances.
One drafter belongs to one sequence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kandong.vlm.grammar import GrammarState
from kandong.vlm.sampling import Sampler

# Places kept for one run of tokens: the latest ones. More would make frequent runs slow, and are never needed.
_MAX_PLACES = 8
# How far back two places are compared to find out which of them continues the answer.
_MAX_MATCH_TOKENS = 32
_BREAK = -1
# How much faster than plain decoding a draft must be expected to be; below, the estimate is within its own error.
_MIN_GAIN = 1.02
_WATCH_TOKENS = 4


@dataclass(frozen=True)
class VerifyCost:
    """What a step over several tokens of one answer costs, in steps over one token: measured points, lines between."""

    points: tuple[tuple[int, float], ...] = ((1, 1.0), (2, 1.05), (4, 1.15), (8, 1.3), (16, 1.8), (32, 2.7))

    def ratio(self, num_tokens: int) -> float:
        """Give the cost of ``num_tokens`` tokens; beyond the last point by the last slope."""
        last = len(self.points) - 2
        index = next((i for i in range(last) if num_tokens <= self.points[i + 1][0]), last)
        (low, cost), (high, next_cost) = self.points[index : index + 2]
        return cost + (next_cost - cost) * (num_tokens - low) / (high - low)


@dataclass
class _Acceptance:
    """How often a drafted token was right, for matches of one length; old drafts fade."""

    num_right: float
    num_tried: float

    @property
    def rate(self) -> float:
        return self.num_right / self.num_tried

    def add(self, num_right: int, *, was_wrong: bool) -> None:
        self.num_right = 0.85 * self.num_right + num_right
        self.num_tried = 0.85 * self.num_tried + num_right + was_wrong


class LookupDrafter:
    """Continues the answer by what followed the same last tokens elsewhere: in the sources, the prompt, the answer.

    ``sources`` are texts likely to be copied, as tokens: give text that runs over several lines as one source, for a
    draft ends with its source. Each token costs a constant time.
    """

    def __init__(
        self,
        sources: Iterable[Sequence[int]],
        prompt_ids: Sequence[int],
        max_draft_tokens: int = 15,
        min_ngram: int = 2,
        max_ngram: int = 4,
        *,
        excluded_ids: Collection[int] = (),
        cost: VerifyCost | None = None,
    ) -> None:
        """Index sources and prompt. ``excluded_ids`` are never drafted nor matched across: pads, control tokens."""
        self._max_draft_tokens = max_draft_tokens
        self._ngrams = range(max_ngram, min_ngram - 1, -1)
        self._excluded = frozenset(excluded_ids)
        self._tokens: list[int] = []
        self._num_unbroken = 0
        # From a run of n tokens, written as one number, to the places after it.
        self._places: dict[int, dict[int, list[int]]] = {n: {} for n in self._ngrams}
        cost = cost or VerifyCost()
        self._costs = [cost.ratio(1 + length) for length in range(max_draft_tokens + 1)]
        # Longer matches are right more often; the first numbers are a guess that a few drafts replace.
        self._acceptances = {
            length: _Acceptance(2 * rate, 2.0) for length, rate in ((1, 0.4), (2, 0.5), (3, 0.6), (4, 0.75), (8, 0.9))
        }
        self._used = self._acceptances[1]
        self._num_proposed = 0
        # While drafting is off: what would have been drafted, compared with what comes.
        self._watched: list[int] = []
        self._watched_by = self._used
        for source in sources:
            self.extend(source)
            self._append(_BREAK)
        self.extend(prompt_ids)

    def extend(self, tokens: int | Iterable[int]) -> None:
        """Add tokens of the answer, chosen or forced."""
        for token in (tokens,) if isinstance(tokens, int) else tokens:
            self._watch(token)
            self._append(_BREAK if token in self._excluded else token)

    def propose(self) -> list[int]:
        """Give the draft that is expected to pay best: the next tokens, or none."""
        self._num_proposed = 0
        place, match_length = self._find()
        if place is None:
            return []
        self._used = next(a for length, a in reversed(self._acceptances.items()) if length <= match_length)
        length = self._best_length(self._used.rate)
        draft = self._continuation(place, length or _WATCH_TOKENS)
        if length == 0:
            if not self._watched:
                self._watched, self._watched_by = draft, self._used
            return []
        self._watched = []
        self._num_proposed = len(draft)
        return draft

    def report(self, num_drafted: int, num_accepted: int) -> None:
        """Tell how much of the last draft was verified and accepted; lengths of later drafts follow from it.

        Tokens that the caller put behind the kept ones are not counted.
        """
        num_drafted = min(num_drafted, self._num_proposed)
        num_accepted = min(num_accepted, num_drafted)
        if num_drafted > 0:
            self._used.add(num_accepted, was_wrong=num_accepted < num_drafted)
        self._num_proposed = 0

    def keep(self, num_tokens: int) -> None:
        """Tell that only the first tokens of the last draft will be verified; ``report`` counts no others."""
        self._num_proposed = min(self._num_proposed, num_tokens)

    def _watch(self, token: int) -> None:
        """Learn without a step whether drafting would pay again."""
        if self._watched:
            is_right = self._watched.pop(0) == token
            self._watched_by.add(int(is_right), was_wrong=not is_right)
            if not is_right:
                self._watched = []

    def _append(self, token: int) -> None:
        if token != _BREAK:
            for n in self._ngrams:
                if n <= self._num_unbroken:
                    places = self._places[n].setdefault(self._last(n), [])
                    places.append(len(self._tokens))
                    if len(places) > _MAX_PLACES:
                        del places[0]
        self._tokens.append(token)
        self._num_unbroken = 0 if token == _BREAK else self._num_unbroken + 1

    def _last(self, n: int) -> int:
        """Write the last n tokens as one number, exactly: two runs never share it."""
        key = 0
        for token in self._tokens[-n:]:
            key = key << 32 | token
        return key

    def _find(self) -> tuple[int | None, int]:
        """Find the place whose past equals the answer's for longest, of equal ones the latest; and for how long."""
        for n in self._ngrams:
            if n <= self._num_unbroken and (places := self._places[n].get(self._last(n))):
                length, place = max((self._match_length(place), place) for place in places)
                return place, length
        return None, 0

    def _match_length(self, place: int) -> int:
        tokens, end = self._tokens, len(self._tokens)
        limit = min(_MAX_MATCH_TOKENS, place, self._num_unbroken)
        return next((i for i in range(limit) if tokens[place - 1 - i] != tokens[end - 1 - i]), limit)

    def _continuation(self, place: int, length: int) -> list[int]:
        """Copy from ``place`` on, over the end into the copy itself, so that a period goes on; stops at a break."""
        copied: list[int] = []
        end = len(self._tokens)
        for i in range(place, place + length):
            token = self._tokens[i] if i < end else copied[i - end]
            if token == _BREAK:
                break
            copied.append(token)
        return copied

    def _best_length(self, rate: float) -> int:
        """Choose the length with the most tokens for its cost, if each token is right with the chance ``rate``."""
        best, best_gain = 0, _MIN_GAIN
        expected = chance = 1.0
        for length in range(1, self._max_draft_tokens + 1):
            chance *= rate
            expected += chance
            if (gain := expected / self._costs[length]) > best_gain:
                best, best_gain = length, gain
        return best


def draft_within(drafter: LookupDrafter, grammar: GrammarState | None, max_tokens: int) -> list[int]:
    """Give the drafter's tokens as far as the grammar allows them, then what the grammar is likely to force after them.

    At most ``max_tokens``. Run the grammar's ``forced_tokens`` before; changes no state of the grammar.
    """
    draft = drafter.propose()[:max_tokens]
    if grammar is not None:
        draft = draft[: grammar.num_valid(draft)]
    drafter.keep(len(draft))
    if grammar is None:
        return draft
    ahead = grammar.copy()
    for token in draft:
        ahead.accept(token)
    return draft + ahead.likely_tokens(max_tokens - len(draft))


def verify_draft(
    sampler: Sampler,
    logits_rows: NDArray[np.float32],
    draft: Sequence[int],
    grammar: GrammarState | None = None,
    end_ids: Collection[int] = (),
) -> list[int]:
    """Give the accepted tokens of a draft and one more that the model chose: 1 to ``len(draft) + 1`` tokens.

    ``logits_rows`` is ``(len(draft) + 1, vocabulary)``: before the draft's first token, …, after its last. Each token
    is chosen as without a draft, penalties and grammar included, and the draft is left at the first difference. That
    is rejection sampling against a draft that is certain of itself: its token is kept with the probability the model
    gives it, else one of the others is drawn in their proportions. So an answer, seed included, is as undrafted.
    The grammar and the sampler go on by the tokens returned. Ends after a token of ``end_ids`` or a complete grammar.
    """
    assert len(logits_rows) == len(draft) + 1, "one row of logits before each drafted token and one after"
    tokens: list[int] = []
    for i, row in enumerate(logits_rows):
        tokens.append(sampler.choose(row, grammar))
        if grammar is not None:
            grammar.accept(tokens[-1])
        is_end = tokens[-1] in end_ids or (grammar is not None and grammar.is_complete)
        if is_end or i == len(draft) or tokens[-1] != draft[i]:
            break
    return tokens
