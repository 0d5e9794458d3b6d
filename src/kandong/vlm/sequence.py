"""One request on its way through the engine: its tokens, how far they are computed, and its text.

Owns: what is pending, what an accepted token leads to, and the reports at the end. Must not know: other sequences,
graphs, which blocks are free.

    tokens        prompt, then what was generated
    num_computed  tokens whose keys and values are in ``blocks``; the rest is pending. A prompt, a decoded token and a
                  sequence that starts again after preemption differ only in how much is pending.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kandong.types import Picture, PictureRef
from kandong.vlm.attention import BLOCK_TOKENS
from kandong.vlm.decoder import Chunk, PlacedFeatures
from kandong.vlm.drafts import LookupDrafter, draft_within, verify_draft
from kandong.vlm.grammar import GrammarState
from kandong.vlm.kvcache import num_blocks_for
from kandong.vlm.loops import LoopDetector, LoopReason
from kandong.vlm.plan import FeatureKey, PromptPlan
from kandong.vlm.positions import PictureSpan
from kandong.vlm.request import (
    Answer,
    Clock,
    Counts,
    Event,
    FinishReason,
    PictureOrigin,
    PictureReport,
    Priority,
    Request,
    TextPiece,
)
from kandong.vlm.sampling import Sampler
from kandong.vlm.stream import TextStream
from kandong.vlm.vision import VisionFeatures


@dataclass
class Tally:
    """What is counted while a sequence lives; ends up in ``request.Counts``."""

    cached: int = 0
    steps: int = 0
    drafted: int = 0
    accepted: int = 0
    forced: int = 0
    preemptions: int = 0


@dataclass(frozen=True)
class Ticket:
    """How a request was handed in: its name, who asks, how urgent it is, and the order of arrival."""

    request_id: str
    client: str
    priority: Priority
    arrival: int


class SequenceState:
    """A request and all that has become of it so far."""

    def __init__(
        self,
        ticket: Ticket,
        request: Request,
        plan: PromptPlan,
        decode: Callable[[Sequence[int]], str],
        eos_token_ids: Sequence[int],
        grammar: GrammarState | None = None,
        drafter: LookupDrafter | None = None,
    ) -> None:
        """Begin with nothing computed; ``grammar`` narrows the answer, ``drafter`` guesses it."""
        self.ticket = ticket
        self.request = request
        self.plan = plan
        self.clock = Clock()
        self.tokens = list(plan.token_ids)
        self.num_computed = 0
        self.blocks: list[int] = []
        self.features: list[VisionFeatures | None] = [None] * len(plan.spans)
        self.origins: list[PictureOrigin] = ["prefix"] * len(plan.spans)
        self.tally = Tally()
        self.finish_reason: FinishReason | None = None
        self.is_wanted = True
        self.announced_position: int | None = None
        self._eos = frozenset(() if request.sampling.ignore_eos else eos_token_ids)
        self._sampler = Sampler(request.sampling, plan.token_ids)
        self._stream = TextStream(decode, request.sampling.stop)
        self.stopped_by: LoopReason | None = None
        self._loops = LoopDetector() if request.stop_loops and not request.sampling.ignore_eos else None
        self._grammar = grammar
        self._drafter = drafter
        self._hashes: list[bytes] = []
        self._num_published = 0
        self._num_told = 0

    @property
    def num_generated(self) -> int:
        """Tokens generated so far."""
        return len(self.tokens) - len(self.plan.token_ids)

    @property
    def num_pending(self) -> int:
        """Tokens whose keys and values are still to be computed."""
        return len(self.tokens) - self.num_computed

    @property
    def is_decoding(self) -> bool:
        """Whether only what was generated last is pending, so that a step gives it a token."""
        return self.num_generated > 0 and self.num_computed >= len(self.plan.token_ids)

    def missing_picture(self) -> int | None:
        """Find the first picture whose features are needed and not there; those inside the computed prefix are not."""
        for i, span in enumerate(self.plan.spans):
            if span.end > self.num_computed and self.features[i] is None:
                return i
        return None

    def keys_waited_for(self) -> set[FeatureKey]:
        """Pictures whose features are not there yet."""
        return {key for key, features in zip(self.plan.keys, self.features, strict=True) if features is None}

    def give_features(self, key: FeatureKey, features: VisionFeatures, origin: PictureOrigin) -> None:
        """Take the features of a picture, wherever it stands in the prompt; what is there already stays."""
        for i, own in enumerate(self.plan.keys):
            if own == key and self.features[i] is None:
                self.features[i], self.origins[i] = features, origin

    def block_hashes(self, num_blocks: int) -> list[bytes]:
        """Give the hashes of the first full blocks."""
        while len(self._hashes) < num_blocks:
            parent = self._hashes[-1] if self._hashes else b""
            self._hashes.append(self.plan.block_hash(parent, self.tokens, len(self._hashes)))
        return self._hashes[:num_blocks]

    def matchable_hashes(self) -> list[bytes]:
        """Give the hashes of blocks that could be found instead of computed, from the first that is not whole on.

        At least one token stays to be computed, for its logits.
        """
        if num_blocks_for(self.num_computed) != len(self.blocks):
            return []
        first = self.num_computed // BLOCK_TOKENS
        keep_one = 0 if self.request.prefill_only else 1
        return self.block_hashes((len(self.tokens) - keep_one) // BLOCK_TOKENS)[first:]

    def take_found(self, blocks: list[int]) -> list[int]:
        """Count blocks that were found as computed; gives back the begun one that the first of them replaces."""
        if not blocks:
            return []
        num_whole = self.num_computed // BLOCK_TOKENS
        replaced = self.blocks[num_whole:]
        num_before, self.num_computed = self.num_computed, (num_whole + len(blocks)) * BLOCK_TOKENS
        self.blocks[num_whole:] = blocks
        self._num_published = max(self._num_published, len(self.blocks))
        # What a sequence finds again after preemption is its own.
        if not self.tally.preemptions:
            self.tally.cached += self.num_computed - num_before
        return replaced

    def unpublished(self) -> list[tuple[int, bytes]]:
        """Give computed full blocks that nobody can find yet, each with its hash, once."""
        # A draft may have been computed beyond the token that ended the answer.
        num_full = min(self.num_computed, len(self.tokens)) // BLOCK_TOKENS
        hashes = self.block_hashes(num_full)
        fresh = [(self.blocks[i], hashes[i]) for i in range(self._num_published, num_full)]
        self._num_published = max(self._num_published, num_full)
        return fresh

    def give_up_blocks(self) -> list[int]:
        """Hand all blocks back; everything is pending again."""
        blocks, self.blocks = self.blocks, []
        self.num_computed = self._num_published = 0
        return blocks

    def chunk(self, num_tokens: int, draft: Sequence[int] = ()) -> Chunk:
        """Make the next ``num_tokens`` pending tokens, and drafted ones after the last, into work for the decoder."""
        start, end = self.num_computed, self.num_computed + num_tokens
        rows: range = range(0)
        if end == len(self.tokens) and not self.request.prefill_only:
            rows = range(num_tokens - 1, num_tokens + len(draft))
        return Chunk(
            token_ids=[*self.tokens[start:end], *draft],
            positions=self.plan.positions_of(start, end + len(draft)),
            num_past=start,
            blocks=self.blocks,
            sample_rows=rows,
            pictures=features_within(self.plan.spans, self.features, start, end),
        )

    def propose_draft(self, max_tokens: int) -> list[int]:
        """Guess the next tokens, for the model to verify in one step; perhaps none."""
        room = min(max_tokens, self.plan.max_new_tokens - self.num_generated - 1)
        if self._drafter is None or room <= 0:
            return []
        return draft_within(self._drafter, self._grammar, room)

    def take_logits(self, logits: NDArray[np.float32], draft: Sequence[int]) -> list[Event]:
        """Choose tokens from logits ``(rows, vocabulary)`` of the last pending token and of the draft after it.

        No rows, no tokens: there is more of the prompt to come. Gives the text that became certain.
        """
        if not len(logits):
            return []
        chosen = verify_draft(self._sampler, logits, draft, self._grammar, self._eos)
        # The draft's keys and values are there as far as it was right.
        self.num_computed += len(chosen) - 1
        self.tally.steps += 1
        self.tally.drafted += len(draft)
        self.tally.accepted += len(chosen) - 1
        if self._drafter is not None:
            self._drafter.report(len(draft), len(chosen) - 1)
        events = self._append_all(chosen)
        if self._grammar is None or self.finish_reason is not None:
            return events
        if self._grammar.is_complete:
            self.finish_reason = "stop"
            return [*events, *self._rest()]
        return [*events, *self._append_forced(self._grammar)]

    def _append_forced(self, grammar: GrammarState) -> list[Event]:
        """Take the tokens that the grammar leaves no choice about; they become pending without a step."""
        forced = grammar.forced_tokens()
        for token in forced:
            grammar.accept(token)
            self._sampler.observe(token)
        self.tally.forced += len(forced)
        events = self._append_all(forced)
        if self.finish_reason is None and forced and grammar.is_complete:
            self.finish_reason = "stop"
            events += self._rest()
        return events

    def _append_all(self, tokens: Sequence[int]) -> list[Event]:
        events: list[Event] = []
        for token in tokens:
            events += self._append(token)
            if self._drafter is not None:
                self._drafter.extend(token)
            if self.finish_reason is not None:
                break
        return events

    def missed_deadline(self) -> str | None:
        """Say which deadline is over, if one is."""
        limits, age_s = self.request.deadlines, self.clock.age_s()
        if limits.total_s is not None and age_s > limits.total_s:
            return "the answer was not complete"
        if limits.first_token_s is not None and self.clock.first_token is None and age_s > limits.first_token_s:
            return "the answer had not begun"
        if limits.start_s is not None and self.clock.started is None and age_s > limits.start_s:
            return "it was still waiting for its turn"
        return None

    def _append(self, token: int) -> list[Event]:
        """Take a chosen token; gives the text that became certain. Sets ``finish_reason`` at an end."""
        self.tokens.append(token)
        self.clock.mark_first_token()
        if token in self._eos:
            self.finish_reason = "stop"
            return self._rest()
        piece = self._stream.push(token)
        events = self._told(piece)
        if self._stream.stopped_by is not None:
            self.finish_reason = "stop"
        elif self._loops is not None and (reason := self._loops.push(token, piece)) is not None:
            self.finish_reason, self.stopped_by = "length", reason
        elif self.num_generated >= self.plan.max_new_tokens:
            self.finish_reason = "length"
        return [*events, *self._rest()] if self.finish_reason else events

    def _rest(self) -> list[Event]:
        return self._told(self._stream.finish())

    def _told(self, text: str) -> list[Event]:
        if not text:
            return []
        num_new, self._num_told = self.num_generated - self._num_told, self.num_generated
        return [TextPiece(text, num_new)]

    def answer(self) -> Answer:
        """Make the report at the end."""
        t = self.tally
        assert self.finish_reason is not None
        return Answer(
            text=self._stream.text,
            finish_reason=self.finish_reason,
            num_prompt_tokens=len(self.plan.token_ids),
            num_picture_tokens=sum(span.num_tokens for span in self.plan.spans),
            token_ids=tuple(self.tokens[len(self.plan.token_ids) :]),
            pictures=tuple(map(_report, self.plan.pictures, self.plan.spans, self.origins)),
            timings=self.clock.timings(),
            stopped_by=self.stopped_by,
            logprobs=tuple(self._sampler.logprobs[: self.num_generated]),
            counts=Counts(
                t.cached, t.steps, t.drafted, t.accepted, t.forced, t.preemptions, self.plan.num_dropped_rounds
            ),
        )


def _report(picture: Picture | PictureRef, span: PictureSpan, origin: PictureOrigin) -> PictureReport:
    return PictureReport(
        picture.width_px, picture.height_px, span.token_rows, span.token_columns, span.num_tokens, origin
    )


def features_within(
    spans: Sequence[PictureSpan], features: Sequence[VisionFeatures | None], start: int, end: int
) -> list[PlacedFeatures]:
    """Cut the pictures' features to the tokens ``start`` to ``end`` of the prompt."""
    placed = []
    for span, feature in zip(spans, features, strict=True):
        first, last = max(span.start, start), min(span.end, end)
        if first < last:
            assert feature is not None, "a picture's tokens are computed before its features are there"
            placed.append(PlacedFeatures(first - start, feature, first - span.start, last - first))
    return placed
