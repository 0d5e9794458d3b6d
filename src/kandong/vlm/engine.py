"""The engine: requests in, events out, one step at a time, nothing computed twice.

Owns: what a step is, and the life of every request from ``submit`` to its one last event. Must not know: file formats
of pictures, model names, processes, HTTP, posts.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kandong.errors import DeadlineExceededError, InputError, ResourceError
from kandong.types import PictureRef
from kandong.vlm.blocks import BlockPool
from kandong.vlm.costs import CostModel
from kandong.vlm.device import Compute, Precision
from kandong.vlm.drafts import LookupDrafter
from kandong.vlm.features import FeatureCache
from kandong.vlm.grammar import CompiledGrammar
from kandong.vlm.language_work import LanguageWork, Share
from kandong.vlm.loading import LoadedModel, LoadingOptions, ReportLoading, load_model
from kandong.vlm.picture_work import PictureWork
from kandong.vlm.pixels import PixelBudget, plan_grid
from kandong.vlm.plan import FeatureKey, PromptPlan, plan_prompt
from kandong.vlm.request import (
    END_OF_REQUEST,
    AnswerForm,
    Cancelled,
    Event,
    Failed,
    Priority,
    Progress,
    Queued,
    Request,
)
from kandong.vlm.scheduler import LanguageTurn, Limits, Scheduler, VisionTurn
from kandong.vlm.sequence import SequenceState, Ticket
from kandong.vlm.telemetry import Telemetry

Events = list[tuple[str, Event]]
_MEMORY_WORDS = ("bad_alloc", "bad alloc", "allocate memory", "not enough memory", "out of memory")


@dataclass(frozen=True)
class EngineOptions:
    """How a model is loaded and run. ``None`` leaves the choice to the machine or the checkpoint.

    ``kv_cache_bytes`` defaults to room for one context, or a quarter of the free memory if that is less.
    Answers may use all of it; what is kept of ended ones, so that their prompts need not be computed again, takes
    ``prefix_cache_bytes`` of it at most. ``feature_folder`` keeps pictures' features over restarts.
    """

    precision: Precision = Precision.AUTO
    compute: Compute | None = None
    num_threads: int | None = None
    context_tokens: int = 32_768
    kv_cache_bytes: int | None = None
    prefix_cache_bytes: int = 768 * 2**20
    prefill_chunk_tokens: int = 1_024
    max_running: int = 16
    max_queued: int = 64
    max_pause_ms: float = 400.0
    feature_memory_bytes: int = 256 * 2**20
    feature_folder: Path | None = None
    feature_disk_bytes: int = 2 * 2**30


class Engine:
    """A loaded model with its caches and its queue. Thread-safe; whoever calls ``step`` does the work."""

    def __init__(
        self, source: Path | LoadedModel, options: EngineOptions | None = None, report: ReportLoading | None = None
    ) -> None:
        """Load a checkpoint or converted folder; ``report`` hears what is being done.

        Errors: ``CheckpointError`` for an unusable folder, ``InputError`` for options that do not go together,
        ``ResourceError`` if the KV cache cannot be had.
        """
        o = self.options = options or EngineOptions()
        if not isinstance(source, LoadedModel):
            wanted = LoadingOptions(o.precision, o.compute, o.num_threads, o.context_tokens, o.kv_cache_bytes)
            source = load_model(source, wanted, report or (lambda _: None))
        source.claim(self)
        self.model = source
        self.config, self.numerics, self.prompts = source.config, source.numerics, source.prompts
        self.context_tokens, self.load_ms = source.context_tokens, source.load_ms
        self.costs = CostModel()
        limits = Limits(o.max_running, o.max_queued, o.prefill_chunk_tokens, o.max_pause_ms)
        self.scheduler = Scheduler(limits, self.costs)
        cache = FeatureCache(
            source.pipeline,
            memory_bytes=o.feature_memory_bytes,
            folder=o.feature_folder,
            disk_bytes=o.feature_disk_bytes,
            exact=self.numerics.kv_cache == "f32",
        )
        max_idle = o.prefix_cache_bytes // source.block_bytes if source.block_bytes else None
        pool = BlockPool(source.num_blocks, max_idle)
        self.pictures = PictureWork(source.tower, self.config, cache, self.costs)
        self.language = LanguageWork(source.decoder, pool, self.scheduler)
        self._events: Events = []
        self._counts = Telemetry()
        self._lock = threading.RLock()
        self._arrivals = itertools.count()
        self._by_id: dict[str, SequenceState] = {}
        self._mailboxes: dict[str, deque[Event]] = {}

    def submit(
        self,
        request_id: str,
        request: Request,
        *,
        client: str = "local",
        priority: Priority = Priority.INTERACTIVE,
    ) -> None:
        """Take a request; its events come from ``step``, the last of them ``Answer``, ``Cancelled`` or ``Failed``.

        Errors, after which no event comes: ``InputError`` (nothing asked, a bad option, a picture whose pixels are
        needed), ``PromptTooLongError``, ``PictureLimitError``, ``QueueFullError``.
        """
        grammar = None if request.form is None else self.compile_form(request.form).start()
        with self._lock:
            if request_id in self._by_id:
                raise InputError("A request of this name is under way.", field="request_id")
            plan = plan_prompt(self.config, self.prompts, request, self.context_tokens)
            ticket = Ticket(request_id, client, priority, next(self._arrivals))
            decode, eos = self.prompts.decode, self.config.eos_token_ids
            sequence = SequenceState(ticket, request, plan, decode, eos, grammar, self._make_drafter(request, plan))
            self.pictures.pin(sequence)
            self.scheduler.enqueue(sequence)
            self._by_id[request_id] = sequence
            self._counts.num_submitted += 1
            self._supersede_warm_ups(sequence)

    def compile_form(self, form: AnswerForm) -> CompiledGrammar:
        """Compile what an answer must look like, and remember it: ``submit`` finds it then.

        Takes up to seconds for large schemas and needs no turn: another thread may call it while steps run.
        Errors: ``GrammarError``.
        """
        grammars = self.model.grammars
        match form.kind:
            case "json_schema":
                return grammars.compile_json_schema(form.value)
            case "json_object":
                return grammars.compile_json_object()
            case "regex":
                return grammars.compile_regex(form.value)
            case "choice":
                return grammars.compile_choice(form.value)

    def _make_drafter(self, request: Request, plan: PromptPlan) -> LookupDrafter | None:
        if not request.drafting or request.prefill_only:
            return None
        sources = [self.prompts.encode_text(text) for text in request.draft_sources]
        return LookupDrafter(sources, plan.token_ids, excluded_ids=self.prompts.control_ids)

    def cancel(self, request_id: str) -> None:
        """Stop a request; ``Cancelled`` comes with the next step. One that has ended is left alone."""
        with self._lock:
            if (sequence := self._by_id.get(request_id)) is not None:
                sequence.is_wanted = False

    def needs_pixels(self, picture: PictureRef, budget: PixelBudget) -> bool:
        """Whether a request with this picture must bring its pixels. Errors: ``PictureLimitError``, ``InputError``."""
        with self._lock:
            grid = plan_grid(picture.height_px, picture.width_px, self.config.pixels, budget)
            return not self.pictures.is_known(FeatureKey(picture.digest, *grid))

    def generate(self, request: Request, *, priority: Priority = Priority.INTERACTIVE) -> Iterator[Event]:
        """Submit a request and work on it: progress and text as they come, and one ``Answer`` at the end.

        Several threads may do so at once; whoever waits does a step for all. Closing the iterator cancels; so does
        somebody else's ``cancel``, which shows as ``Cancelled``. Errors: as ``submit``, and the one in ``Failed``.
        """
        request_id = f"local-{next(self._arrivals)}"
        mailbox: deque[Event] = deque()
        with self._lock:
            self.submit(request_id, request, priority=priority)
            self._mailboxes[request_id] = mailbox
        try:
            while True:
                with self._lock:
                    if not mailbox:
                        self._deliver(self.step())
                while mailbox:
                    event = mailbox.popleft()
                    if isinstance(event, Failed):
                        raise event.error
                    yield event
                    if isinstance(event, END_OF_REQUEST):
                        return
        finally:
            with self._lock:
                self.cancel(request_id)
                self._drop_ended()
                self._deliver(self._take_events())
                del self._mailboxes[request_id]

    def _deliver(self, events: Events) -> None:
        for request_id, event in events:
            if (mailbox := self._mailboxes.get(request_id)) is not None:
                mailbox.append(event)

    @property
    def has_work(self) -> bool:
        """Whether ``step`` has anything to do."""
        return bool(self._by_id or self._events)

    def step(self) -> Events:
        """Do one piece of work, about half a second at most, and give the events since the last one."""
        with self._lock:
            self._drop_ended()
            self._admit()
            # What was let in or has ended is told before the next piece of work begins.
            if not self._events:
                turn = self.scheduler.next_turn()
                try:
                    if isinstance(turn, VisionTurn):
                        self._see(turn)
                    elif turn is not None:
                        self._write(turn)
                except (MemoryError, RuntimeError) as error:
                    self._fail_for_memory(turn, error)
            return self._take_events()

    def telemetry(self) -> dict[str, float]:
        """Give counters since the start, and the state of queue and caches."""
        with self._lock:
            pool, cache = self.language.pool, self.pictures.cache
            return {
                **self._counts.snapshot(),
                **{f"num_feature_{name}": count for name, count in cache.counts.items()},
                "feature_memory_bytes": cache.memory_bytes,
                "num_running": len(self.scheduler.running),
                "num_waiting": len(self.scheduler.waiting),
                "num_kv_blocks": pool.num_blocks,
                "num_kv_blocks_available": pool.num_available,
                "num_kv_blocks_findable": pool.num_idle,
                "num_kv_blocks_evicted": pool.num_evicted,
                "kv_block_bytes": self.model.block_bytes or 0,
                **{f"cost_{name}": rate for name, rate in self.costs.rates.items()},
            }

    def _take_events(self) -> Events:
        events, self._events = self._events, []
        return events

    def _drop_ended(self) -> None:
        """End what was cancelled and what is over a deadline."""
        for sequence in self.scheduler.everyone:
            if not sequence.is_wanted:
                self._end(sequence, Cancelled())
            elif (missed := sequence.missed_deadline()) is not None:
                error = DeadlineExceededError(
                    f"The request was given up after {sequence.clock.age_s():.1f} s: {missed}.",
                    hint="Try again when the machine is less busy, ask for less, or allow more time.",
                )
                self._end(sequence, Failed(error))

    def _admit(self) -> None:
        """Let waiting requests in, and tell the others where they stand."""
        for sequence in self.scheduler.standing_back():
            self.language.preempt(sequence)
        for sequence in self.scheduler.admit(self.language.has_room):
            self.language.find_prefix(sequence)
            is_seeing = sequence.missing_picture() is not None
            self._tell(sequence, self.pictures.progress(sequence) if is_seeing else _prefill_progress(sequence))
        for position, sequence in enumerate(self.scheduler.queue(), start=1):
            if sequence.announced_position != position:
                sequence.announced_position = position
                self._tell(sequence, Queued(position, self.scheduler.predicted_wait_ms(sequence)))

    def _see(self, turn: VisionTurn) -> None:
        """Run one stage of the tower. Requests that wait for the same picture share it."""
        key = turn.sequence.plan.keys[turn.picture]
        sharing = [s for s in self.scheduler.running if key in s.keys_waited_for()]
        within_ms = self.scheduler.vision_stage_ms()
        seconds = self.pictures.run_stage(turn.sequence, turn.picture, self.scheduler.everyone, within_ms)
        self.scheduler.charge(sharing, seconds * 1e3)
        self._counts.count_stage(seconds)
        for sequence in sharing:
            sequence.clock.add("vision", seconds)
            self._tell(sequence, self.pictures.progress(sequence))

    def _write(self, turn: LanguageTurn) -> None:
        """Run the language model: the next tokens of every running answer, and shares of prompts."""
        result = self.language.run(turn)
        if result.shares:
            everyone = [share.sequence for share in result.shares]
            self._counts.count_step(len(everyone), result.num_tokens, result.seconds)
            self.costs.observe_step(result.num_tokens, len(everyone), result.seconds * 1e3)
            self.scheduler.charge(everyone, result.seconds * 1e3)
        for share in result.shares:
            self._advance(share, result.seconds)
        for sequence, _ in turn.prefilling:
            if sequence.request.prefill_only and not sequence.num_pending:
                sequence.finish_reason = "stop"
                self._end(sequence, sequence.answer())

    def _advance(self, share: Share, seconds: float) -> None:
        """Take one sequence's share of a step: what it computed, the tokens that follow, perhaps its end."""
        sequence = share.sequence
        is_prompt = not sequence.is_decoding
        sequence.clock.add("prefill" if is_prompt else "decode", seconds)
        sequence.num_computed += share.num_tokens
        if is_prompt:
            self._tell(sequence, _prefill_progress(sequence))
        for event in sequence.take_logits(share.logits, share.draft):
            self._tell(sequence, event)
        self.language.publish(sequence)
        if sequence.finish_reason is not None:
            self._end(sequence, sequence.answer())

    def _fail_for_memory(self, turn: VisionTurn | LanguageTurn | None, error: Exception) -> None:
        """End the requests of a turn for which there was no memory; the others go on. Any other error is raised again.

        OpenVINO tells of memory that it could not get by a plain ``RuntimeError``.
        """
        if isinstance(error, RuntimeError) and not any(word in str(error) for word in _MEMORY_WORDS):
            raise error
        assert turn is not None, "no memory for nothing"
        for sequence in turn.sequences:
            failure = ResourceError(
                "The machine has not enough memory for this step.",
                hint="Use fewer or smaller pictures, or end other programs.",
            )
            self._end(sequence, Failed(failure))

    def _supersede_warm_ups(self, newcomer: SequenceState) -> None:
        """A question makes the warming of its own pictures needless: it does that work itself, at its own rank."""
        wanted = set(newcomer.plan.keys)
        for sequence in self.scheduler.everyone:
            is_older = sequence is not newcomer and sequence.ticket.priority is Priority.WARM_UP
            warmed = set(sequence.plan.keys)
            if is_older and warmed and sequence.ticket.client == newcomer.ticket.client and wanted >= warmed:
                sequence.is_wanted = False

    def _end(self, sequence: SequenceState, event: Event) -> None:
        """Say the last word about a request and forget it."""
        self.language.pool.release(sequence.give_up_blocks())
        self.scheduler.remove(sequence)
        self.pictures.drop_unwanted(self.scheduler.everyone)
        del self._by_id[sequence.ticket.request_id]
        self._counts.count_end(event)
        self._tell(sequence, event)

    def _tell(self, sequence: SequenceState, event: Event) -> None:
        self._events.append((sequence.ticket.request_id, event))


def _prefill_progress(sequence: SequenceState) -> Progress:
    return Progress("prefill", sequence.num_computed, len(sequence.tokens))
