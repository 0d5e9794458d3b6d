"""One run of the language model for several sequences, and the blocks that it needs.

Owns: the decoder, the block pool, finding prefixes and making room. Must not know: whose turn it is, pictures' pixels,
what becomes of a chosen token.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kandong.vlm.attention import BLOCK_TOKENS
from kandong.vlm.blocks import BlockPool
from kandong.vlm.kvcache import num_blocks_for
from kandong.vlm.loading import LanguageModel
from kandong.vlm.scheduler import LanguageTurn, Scheduler
from kandong.vlm.sequence import SequenceState

# In one step, over all sequences: beyond it a step takes longer than what drafts can save.
_MAX_DRAFTED_TOKENS = 32


@dataclass(frozen=True)
class Share:
    """What one sequence got out of a step: its pending tokens computed, and logits ``(rows, vocabulary)`` if asked."""

    sequence: SequenceState
    num_tokens: int
    draft: list[int]
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class StepResult:
    """A step's shares, and the seconds that it took."""

    shares: list[Share]
    seconds: float

    @property
    def num_tokens(self) -> int:
        """Tokens that were run, drafted ones included."""
        return sum(share.num_tokens + len(share.draft) for share in self.shares)


class LanguageWork:
    """The language model with its blocks. The engine's thread owns it."""

    def __init__(self, decoder: LanguageModel, pool: BlockPool, scheduler: Scheduler) -> None:
        self.pool = pool
        self._decoder = decoder
        self._scheduler = scheduler

    def has_room(self, sequence: SequenceState) -> bool:
        """Whether a waiting sequence could be computed to its first token without anybody giving way."""
        num_found = self.pool.count_matching(sequence.matchable_hashes())
        return num_blocks_for(len(sequence.tokens) + 1) - num_found <= self.pool.num_available

    def find_prefix(self, sequence: SequenceState) -> None:
        """Take over blocks that hold what would be computed next."""
        self.pool.release(sequence.take_found(self.pool.match(sequence.matchable_hashes())))

    def preempt(self, sequence: SequenceState) -> None:
        """Make a running sequence start again later; what it computed stays findable until it is overwritten."""
        self.pool.release(sequence.give_up_blocks())
        self._scheduler.send_back(sequence)
        sequence.tally.preemptions += 1

    def run(self, turn: LanguageTurn) -> StepResult:
        """Run the model: every decoding sequence with what is pending and its draft, the others with their share."""
        since = time.perf_counter()
        max_draft_tokens = _MAX_DRAFTED_TOKENS // max(1, len(turn.decoding))
        work = [(s, s.num_pending, s.propose_draft(max_draft_tokens)) for s in turn.decoding]
        num_drafted = sum(len(draft) for _, _, draft in work)
        for sequence, share in turn.prefilling:
            # A draft takes the place of as many tokens of prefill, so that the step stays as long as it was planned.
            num_tokens = min(share, max(BLOCK_TOKENS, share - num_drafted))
            num_drafted -= share - num_tokens
            # Somebody else may have computed in the meantime what comes next.
            self.find_prefix(sequence)
            if num_tokens := min(num_tokens, sequence.num_pending):
                work.append((sequence, num_tokens, []))
        work = self._reserve(work)
        if not work:
            return StepResult([], time.perf_counter() - since)
        chunks = [sequence.chunk(num_tokens, draft) for sequence, num_tokens, draft in work]
        logits = self._decoder.run(chunks)
        ends = np.cumsum([len(chunk.sample_rows) for chunk in chunks])
        parts = np.split(logits, ends[:-1])
        shares = [Share(*item, rows) for item, rows in zip(work, parts, strict=True)]
        return StepResult(shares, time.perf_counter() - since)

    def publish(self, sequence: SequenceState) -> None:
        """Make a sequence's newly filled blocks findable."""
        for block, key in sequence.unpublished():
            self.pool.publish(block, key)

    def _reserve(self, work: list[tuple[SequenceState, int, list[int]]]) -> list[tuple[SequenceState, int, list[int]]]:
        """Give each sequence the blocks that its step writes to, best in rank first.

        Where there are too few, drafts go first, then the sequences that are last in rank.
        """
        granted: list[tuple[SequenceState, int, list[int]]] = []
        secured: list[SequenceState] = []
        for sequence, num_tokens, draft in sorted(work, key=lambda item: self._scheduler.rank(item[0])):
            if sequence not in self._scheduler.running:
                continue  # gave way to one before it
            if draft and self._try_grow(sequence, num_tokens + len(draft)):
                granted.append((sequence, num_tokens, draft))
            elif self._grow(sequence, num_tokens, secured):
                granted.append((sequence, num_tokens, []))
            else:
                continue
            secured.append(sequence)
        return granted

    def _try_grow(self, sequence: SequenceState, num_tokens: int) -> bool:
        missing = num_blocks_for(sequence.num_computed + num_tokens) - len(sequence.blocks)
        blocks = self.pool.allocate(max(0, missing))
        sequence.blocks += blocks or []
        return blocks is not None

    def _grow(self, sequence: SequenceState, num_tokens: int, secured: list[SequenceState]) -> bool:
        while not self._try_grow(sequence, num_tokens):
            holders = [s for s in self._scheduler.running if s.blocks and s not in secured]
            victim = self._scheduler.victim([*holders, sequence])
            self.preempt(victim)
            if victim is sequence:
                return False
        return True
