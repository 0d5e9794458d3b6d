"""Who goes next: admission, priorities, fairness between clients, and what a step consists of.

Owns: the queue and the set of running sequences, and the order in which they are served. Must not know: tensors,
blocks, how anything is computed.

Between clients the one that has received least service goes first; service is counted in milliseconds of the work done
(start-time fair queueing). A client that comes back starts where the least served of the busy ones is, so it can
neither save service up nor be punished for the past.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kandong.errors import QueueFullError
from kandong.vlm.costs import CostModel
from kandong.vlm.request import Priority
from kandong.vlm.sequence import SequenceState

# A job over many posts goes with the interactive ones once it has waited so long: never starved, only delayed.
_AGEING_S = 60.0


@dataclass(frozen=True)
class Limits:
    """``max_step_tokens`` bounds a step alone; while answers are being written it is what fits in ``max_pause_ms``,
    and so does a stage of vision with the step after it."""

    max_running: int = 16
    max_queued: int = 64
    max_step_tokens: int = 1_024
    max_pause_ms: float = 400.0


@dataclass(frozen=True)
class VisionTurn:
    """One stage of the tower for a sequence."""

    sequence: SequenceState
    picture: int

    @property
    def sequences(self) -> list[SequenceState]:
        """Those whose turn it is."""
        return [self.sequence]


@dataclass(frozen=True)
class LanguageTurn:
    """One run of the language model: sequences that write, and (sequence, tokens) that are prefilled."""

    decoding: list[SequenceState]
    prefilling: list[tuple[SequenceState, int]]

    @property
    def sequences(self) -> list[SequenceState]:
        """Those whose turn it is."""
        return [*self.decoding, *(sequence for sequence, _ in self.prefilling)]


Turn = VisionTurn | LanguageTurn


class Scheduler:
    """The queue and the running sequences. Not thread-safe: the engine's thread owns it."""

    def __init__(self, limits: Limits, costs: CostModel) -> None:
        self._limits = limits
        self._costs = costs
        self.waiting: list[SequenceState] = []
        self.running: list[SequenceState] = []
        self._served_ms: dict[str, float] = {}
        self._last_was_vision = False

    @property
    def everyone(self) -> list[SequenceState]:
        """All sequences, running ones first."""
        return [*self.running, *self.waiting]

    def enqueue(self, sequence: SequenceState) -> None:
        """Take a new sequence. Errors: ``QueueFullError`` with the predicted wait."""
        if len(self.waiting) >= self._limits.max_queued:
            wait_s = self.predicted_wait_ms(sequence) / 1e3
            raise QueueFullError(
                f"{len(self.waiting)} requests are waiting already.",
                hint=f"Try again in about {max(1, round(wait_s))} s.",
                retry_after_s=max(1, round(wait_s)),
            )
        self._greet(sequence.ticket.client)
        self.waiting.append(sequence)

    def remove(self, sequence: SequenceState) -> None:
        """Forget an ended sequence, and its client when that was its last one."""
        for group in (self.running, self.waiting):
            if sequence in group:
                group.remove(sequence)
        if all(other.ticket.client != sequence.ticket.client for other in self.everyone):
            self._served_ms.pop(sequence.ticket.client, None)

    def send_back(self, sequence: SequenceState) -> None:
        """Make a preempted sequence wait again; it keeps its rank, so it is the first to come back."""
        self.running.remove(sequence)
        self.waiting.append(sequence)

    def admit(self, has_room: Callable[[SequenceState], bool]) -> list[SequenceState]:
        """Let waiting sequences in, best first, while there is room; gives the new ones.

        The first one is let in however little room there is, if nothing else runs. Work ahead of questions comes in
        one at a time, when nobody else is there.
        """
        admitted: list[SequenceState] = []
        for sequence in self.queue():
            if len(self.running) >= self._limits.max_running:
                break
            if sequence.ticket.priority is Priority.WARM_UP and (self.running or not self._only_warm_ups()):
                break
            # What does not fit now is not overtaken by something smaller: that would starve long prompts.
            if self.running and not has_room(sequence):
                break
            self.waiting.remove(sequence)
            self.running.append(sequence)
            sequence.clock.mark_started()
            admitted.append(sequence)
        return admitted

    def next_turn(self) -> Turn | None:
        """Choose what to run; ``None`` if nothing can be.

        Stages of vision and steps of the language model alternate while answers are being written, so that neither a
        new picture nor a running answer waits longer than one of them.
        """
        served = sorted(self.running, key=self.rank)
        decoding = [s for s in served if s.is_decoding]
        heavy = [(s, s.missing_picture()) for s in served if not s.is_decoding]
        if heavy and heavy[0][1] is not None and not (decoding and self._last_was_vision):
            self._last_was_vision = True
            return VisionTurn(heavy[0][0], heavy[0][1])
        self._last_was_vision = False
        prefilling = self._share_tokens([s for s, picture in heavy if picture is None], decoding)
        return LanguageTurn(decoding, prefilling) if decoding or prefilling else None

    def vision_stage_ms(self) -> float:
        """Give how long a stage of vision may take, so that with the step after it nobody waits for longer.

        At least as long as that step: a machine that is too slow for the pause shall not slow the picture down more.
        """
        if any(s.is_decoding for s in self.running):
            return max(self._limits.max_pause_ms - self._costs.token_ms, self._costs.token_ms)
        return self._limits.max_pause_ms

    def _share_tokens(
        self, sequences: list[SequenceState], decoding: list[SequenceState]
    ) -> list[tuple[SequenceState, int]]:
        budget = self._limits.max_step_tokens
        if decoding:
            num_others = sum(s.num_pending for s in decoding)
            budget = min(budget, self._costs.tokens_within(self._limits.max_pause_ms, num_others))
        shares = []
        for sequence in sequences:
            if budget <= 0:
                break
            shares.append((sequence, min(budget, sequence.num_pending)))
            budget -= shares[-1][1]
        return shares

    def charge(self, sequences: list[SequenceState], ms: float) -> None:
        """Count service to the clients of the sequences that shared it."""
        for sequence in sequences:
            client = sequence.ticket.client
            self._served_ms[client] = self._served_ms.get(client, 0.0) + ms / len(sequences)

    def victim(self, candidates: list[SequenceState]) -> SequenceState:
        """Choose who gives its blocks up: the last in rank."""
        return max(candidates, key=self.rank)

    def rank(self, sequence: SequenceState) -> tuple[int, float, int]:
        """Order of service, lowest first: priority with ageing, least served client, arrival."""
        ticket = sequence.ticket
        priority = ticket.priority
        if priority is Priority.BATCH and sequence.clock.age_s() > _AGEING_S:
            priority = Priority.INTERACTIVE
        return int(priority), self._served_ms.get(ticket.client, 0.0), ticket.arrival

    def queue(self) -> list[SequenceState]:
        """Give those who wait, in the order of their turns."""
        return sorted(self.waiting, key=self.rank)

    def predicted_wait_ms(self, sequence: SequenceState) -> float:
        """Predict when a sequence is admitted: all work before it, shared by as many as may run at once."""
        rank = self.rank(sequence)
        before = [*self.running, *(other for other in self.waiting if self.rank(other) < rank)]
        needed = len(before) - self._limits.max_running + 1
        if needed <= 0 and self.running:
            needed = 1
        # The ones that end first make room; on average they are the ones with the least left to do.
        left = sorted(self.predict_ms(other) for other in before)
        return sum(left[: max(0, needed)])

    def predict_ms(self, sequence: SequenceState) -> float:
        """Predict what is left to do for a sequence, alone."""
        plan = sequence.plan
        patches = [
            key.grid_height * key.grid_width
            for key, span, features in zip(plan.keys, plan.spans, sequence.features, strict=True)
            if features is None and span.end > sequence.num_computed
        ]
        return self._costs.predict_ms(patches, sequence.num_pending, plan.max_new_tokens - sequence.num_generated)

    def standing_back(self) -> list[SequenceState]:
        """Give the running work ahead of questions that must leave because somebody else is there."""
        if self._only_warm_ups():
            return []
        return [s for s in self.running if s.ticket.priority is Priority.WARM_UP]

    def _only_warm_ups(self) -> bool:
        return all(s.ticket.priority is Priority.WARM_UP for s in self.everyone)

    def _greet(self, client: str) -> None:
        """Give a client that has nothing under way its start: level with the least served of the others."""
        if client not in self._served_ms:
            self._served_ms[client] = min(self._served_ms.values(), default=0.0)
