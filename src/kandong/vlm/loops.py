"""Stops for answers that run away: the same tokens over and over, or digits without end.

Owns: what counts as running away. Must not know: sampling, grammars, why a model does it. Small models loop on dense
text; a penalty would damage tables and digits, a stop does not touch what was written before. One detector belongs to
one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

LoopReason = Literal["repetition", "digits"]


@dataclass(frozen=True)
class LoopLimits:
    """How much is too much. The longest repeats of ordinary text must stay below.

    A loop is a run of up to ``max_period_tokens`` tokens written ``min_repeats`` times in a row or more, together at
    least ``min_loop_tokens`` long: about ten equal rows of a table in Qwen's vocabulary. Runs of one or two tokens
    (separator lines, dots of a table of contents, laughter, rows of null) must be ``min_short_loop_tokens`` long.
    """

    max_period_tokens: int = 64
    min_repeats: int = 4
    min_loop_tokens: int = 64
    min_short_loop_tokens: int = 128
    max_digits: int = 64


_NUM_SHORT_PERIODS = 2


class LoopDetector:
    """Watches one answer. Each token costs a constant time and memory, whatever the answer's length."""

    def __init__(self, limits: LoopLimits | None = None) -> None:
        self._limits = limits = limits or LoopLimits()
        self._periods = np.arange(1, limits.max_period_tokens + 1)
        self._needed = np.maximum(limits.min_repeats * self._periods, limits.min_loop_tokens)
        self._needed[:_NUM_SHORT_PERIODS] = np.maximum(self._needed[:_NUM_SHORT_PERIODS], limits.min_short_loop_tokens)
        # The latest tokens, the last one first; for each period, how many in a row equal the one a period before.
        self._latest = np.full(limits.max_period_tokens, -1, np.int64)
        self._num_equal = np.zeros(limits.max_period_tokens, np.int64)
        self._num_digits = 0
        self.num_loop_tokens = 0

    def push(self, token: int, text: str = "") -> LoopReason | None:
        """Add a token and the text that became certain with it; says why to stop, or None to go on.

        After "repetition" ``num_loop_tokens`` counts the tokens at the answer's end that are the loop, first time
        included.
        """
        self._num_equal += 1
        self._num_equal[self._latest != token] = 0
        self._latest[1:] = self._latest[:-1]
        self._latest[0] = token
        if self._add_digits(text):
            return "digits"
        lengths = self._num_equal + self._periods
        is_loop = (lengths >= self._needed) & (self._num_equal > 0)
        # What repeats with a period of one repeats with three as well: the short period's bound is the one that counts.
        if is_loop.any():
            is_loop[_NUM_SHORT_PERIODS:] &= lengths[_NUM_SHORT_PERIODS:] > self._short_length(lengths)
        if not is_loop.any():
            return None
        self.num_loop_tokens = int(lengths[is_loop].max())
        return "repetition"

    def _short_length(self, lengths: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> int:
        short = lengths[:_NUM_SHORT_PERIODS][self._num_equal[:_NUM_SHORT_PERIODS] > 0]
        return int(short.max()) if len(short) else 0

    def _add_digits(self, text: str) -> bool:
        for char in text:
            self._num_digits = self._num_digits + 1 if char.isdecimal() else 0
            if self._num_digits > self._limits.max_digits:
                return True
        return False
