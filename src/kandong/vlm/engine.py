"""The in-process engine: messages and pictures in, a stream of text out, one answer at a time.

Owns: loading a model, and the way of one request through preprocessing, vision, prefill and decoding. Must not know:
file formats of pictures, model names, HTTP, posts.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kandong.errors import InputError, KandongError, PromptTooLongError
from kandong.types import Picture
from kandong.vlm.decoder import Chunk, PlacedFeatures
from kandong.vlm.device import Compute, Numerics, Precision
from kandong.vlm.kvcache import num_blocks_for
from kandong.vlm.loading import load_parts
from kandong.vlm.opening import open_model
from kandong.vlm.pixels import Patches, PixelBudget, make_patches, plan_grid
from kandong.vlm.positions import PictureSpan, prompt_positions
from kandong.vlm.request import (
    Answer,
    Clock,
    Event,
    FinishReason,
    PictureReport,
    Progress,
    Request,
    TextPiece,
)
from kandong.vlm.sampling import Sampler, SamplingParameters
from kandong.vlm.stream import TextStream
from kandong.vlm.vision import VisionFeatures

ReportLoading = Callable[[str], None]


@dataclass(frozen=True)
class EngineOptions:
    """How a model is loaded and run. ``None`` leaves the choice to the machine or the checkpoint."""

    precision: Precision = Precision.AUTO
    compute: Compute | None = None
    num_threads: int | None = None
    context_tokens: int = 32_768
    prefill_chunk_tokens: int = 1_024
    max_cached_pictures: int = 8


@dataclass(frozen=True)
class _Plan:
    """A request laid out before any heavy work: tokens with the pictures' pads expanded, spans, positions."""

    token_ids: list[int]
    spans: list[PictureSpan]
    pictures: list[Picture]
    positions: NDArray[np.int64]
    next_position: int
    max_new_tokens: int


class Engine:
    """A loaded model. Thread-safe: a second request waits until the first has ended or was closed."""

    def __init__(self, folder: Path, options: EngineOptions | None = None, report: ReportLoading | None = None) -> None:
        """Load a checkpoint or converted folder; ``report`` hears what is being done.

        Errors: ``CheckpointError`` for an unusable folder, ``InputError`` for options that do not go together.
        """
        say = report or (lambda _: None)
        started = time.perf_counter()
        self.options = options or EngineOptions()
        say("checking the model")
        opened = open_model(folder, self.options.precision, self.options.compute)
        self.config = opened.config
        self.numerics: Numerics = opened.numerics
        self.context_tokens = min(self.options.context_tokens, self.config.text.max_position_embeddings)
        # Compiled graphs go on reading the arrays that the weights were made of.
        self._weights = opened.weights
        say(f"loading ({self.numerics})")
        parts = load_parts(folder, opened, self.options.num_threads, self.context_tokens)
        self.prompts, self.decoder, self.tower = parts.prompts, parts.decoder, parts.tower
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._features: OrderedDict[tuple[str, int, int], VisionFeatures] = OrderedDict()
        self.load_ms = (time.perf_counter() - started) * 1e3

    def generate(self, request: Request) -> Iterator[Event]:
        """Answer a request: progress and text as they come, and one ``Answer`` at the end.

        Closing the iterator cancels the work at the next stage, chunk or token. Errors: ``InputError`` (nothing asked,
        a bad option), ``PromptTooLongError``, ``PictureLimitError``, ``ResourceError``; all before the first event.
        """
        if self._owner == threading.get_ident():
            raise KandongError(
                "This thread has an answer under way.", hint="Read it to its end, or close it, before the next one."
            )
        with self._lock:
            self._owner = threading.get_ident()
            try:
                yield from self._generate(request)
            finally:
                self._owner = None

    def _generate(self, request: Request) -> Iterator[Event]:
        clock = Clock()
        plan = self._plan(request)
        clock.add("preprocess", clock.started)
        reports: list[PictureReport] = []
        features: list[VisionFeatures] = []
        for i, (picture, span) in enumerate(zip(plan.pictures, plan.spans, strict=True)):
            encoded, is_cached = yield from self._see(picture, request.budget, clock, i, len(plan.spans))
            features.append(encoded)
            reports.append(_report(picture, span, is_cached))
        blocks = self._allocate(len(plan.token_ids))
        try:
            logits = yield from self._prefill(plan, features, blocks, clock)
            text, reason, generated = yield from self._decode(plan, request.sampling, logits, blocks, clock)
        finally:
            self.decoder.cache.release(blocks)
        yield Answer(
            text=text,
            finish_reason=reason,
            num_prompt_tokens=len(plan.token_ids),
            num_picture_tokens=sum(span.num_tokens for span in plan.spans),
            token_ids=tuple(generated),
            pictures=tuple(reports),
            timings=clock.timings(),
        )

    def _plan(self, request: Request) -> _Plan:
        """Lay the request out; refuses what cannot fit before any picture is encoded."""
        for index in (p.index for m in request.messages for p in m.parts if hasattr(p, "index")):
            if not 0 <= index < len(request.pictures):
                raise InputError(f"There is no picture number {index}.", field="pictures")
        encoded = self.prompts.encode(request.messages)
        pictures = [request.pictures[i] for i in encoded.picture_order]
        merge = self.config.vision.spatial_merge_size
        ids: list[int] = []
        spans: list[PictureSpan] = []
        cursor = 0
        for place, picture in zip(encoded.pad_places, pictures, strict=True):
            ids += encoded.ids[cursor:place]
            rows, columns = plan_grid(picture.height_px, picture.width_px, self.config.pixels, request.budget)
            spans.append(PictureSpan(len(ids), rows // merge, columns // merge))
            ids += [self.config.image_token_id] * spans[-1].num_tokens
            cursor = place + 1
        ids += encoded.ids[cursor:]
        room = self.context_tokens - len(ids)
        if room < 1:
            in_pictures = sum(span.num_tokens for span in spans)
            raise PromptTooLongError(
                f"The prompt has {len(ids):,} tokens ({in_pictures:,} of them pictures), the context holds "
                f"{self.context_tokens:,}.",
                hint="Shorten the text, send fewer pictures, or lower max_image_tokens.",
                field="messages",
            )
        positions, next_position = prompt_positions(len(ids), spans)
        return _Plan(ids, spans, pictures, positions, next_position, min(request.sampling.max_tokens, room))

    def _see(
        self, picture: Picture, budget: PixelBudget, clock: Clock, index: int, num_pictures: int
    ) -> Generator[Progress, None, tuple[VisionFeatures, bool]]:
        """Encode a picture stage by stage, or find its features; returns them and whether they were found."""
        since = time.perf_counter()
        rows, columns = plan_grid(picture.height_px, picture.width_px, self.config.pixels, budget)
        key = (picture.digest, rows, columns)
        if (known := self._features.get(key)) is not None:
            self._features.move_to_end(key)
            clock.add("preprocess", since)
            return known, True
        patches: Patches = make_patches(picture.rgb, self.config.pixels, budget)
        clock.add("preprocess", since)
        running = self.tower.start(patches)
        while not running.is_done:
            done = index * running.num_stages + running.num_stages_done
            yield Progress("vision", done, num_pictures * running.num_stages)
            since = time.perf_counter()
            running.step()
            clock.add("vision", since)
        self._features[key] = features = running.features()
        while len(self._features) > self.options.max_cached_pictures:
            self._features.popitem(last=False)
        return features, False

    def _allocate(self, num_tokens: int) -> list[int]:
        """Take blocks for so many tokens; the cache grows where it must. Errors: ``ResourceError``."""
        num_blocks = num_blocks_for(num_tokens)
        self.decoder.cache.ensure_free(num_blocks, num_blocks_for(self.context_tokens))
        return self.decoder.cache.allocate(num_blocks)

    def _prefill(
        self, plan: _Plan, features: list[VisionFeatures], blocks: list[int], clock: Clock
    ) -> Generator[Progress, None, NDArray[np.float32]]:
        """Run the prompt in chunks; returns the logits ``(vocabulary,)`` of its last token."""
        total, size = len(plan.token_ids), self.options.prefill_chunk_tokens
        logits = np.empty((0, 0), np.float32)
        for start in range(0, total, size):
            yield Progress("prefill", start, total)
            since = time.perf_counter()
            end = min(start + size, total)
            chunk = Chunk(
                token_ids=plan.token_ids[start:end],
                positions=plan.positions[:, start:end],
                num_past=start,
                blocks=blocks,
                sample_rows=[end - start - 1] if end == total else [],
                pictures=_features_within(plan.spans, features, start, end),
            )
            logits = self.decoder.run([chunk])
            clock.add("prefill", since)
        last: NDArray[np.float32] = logits[0]
        return last

    def _decode(
        self,
        plan: _Plan,
        sampling: SamplingParameters,
        logits: NDArray[np.float32],
        blocks: list[int],
        clock: Clock,
    ) -> Generator[TextPiece, None, tuple[str, FinishReason, list[int]]]:
        """Generate until an end token, a stop string or the limit; returns text, finish reason and tokens."""
        sampler = Sampler(sampling, plan.token_ids)
        stream = TextStream(self.prompts.decode, sampling.stop)
        reason: FinishReason = "length"
        generated: list[int] = []
        since = time.perf_counter()
        while len(generated) < plan.max_new_tokens:
            generated.append(sampler.choose(logits))
            clock.mark_first_token()
            if generated[-1] in self.config.eos_token_ids and not sampling.ignore_eos:
                reason = "stop"
                break
            if piece := stream.push(generated[-1]):
                clock.add("decode", since)
                yield TextPiece(piece)
                since = time.perf_counter()
            if stream.stopped_by is not None:
                reason = "stop"
                break
            if len(generated) < plan.max_new_tokens:
                logits = self._next_logits(plan, generated, blocks)
        rest = stream.finish()
        clock.add("decode", since)
        if rest:
            yield TextPiece(rest)
        return stream.text, reason, generated

    def _next_logits(self, plan: _Plan, generated: list[int], blocks: list[int]) -> NDArray[np.float32]:
        """Run the last generated token; gives logits ``(vocabulary,)`` for the one after it."""
        offset = len(generated) - 1
        if num_blocks_for(len(plan.token_ids) + len(generated)) > len(blocks):
            blocks += self._allocate(1)
        positions = np.full((3, 1), plan.next_position + offset, np.int64)
        chunk = Chunk(generated[-1:], positions, len(plan.token_ids) + offset, blocks, [0])
        logits: NDArray[np.float32] = self.decoder.run([chunk])[0]
        return logits


def _report(picture: Picture, span: PictureSpan, is_cached: bool) -> PictureReport:
    return PictureReport(
        picture.width_px, picture.height_px, span.token_rows, span.token_columns, span.num_tokens, is_cached
    )


def _features_within(
    spans: list[PictureSpan], features: list[VisionFeatures], start: int, end: int
) -> list[PlacedFeatures]:
    """Cut the pictures' features to the tokens ``start`` to ``end`` of the prompt."""
    placed = []
    for span, feature in zip(spans, features, strict=True):
        first, last = max(span.start, start), min(span.end, end)
        if first < last:
            placed.append(PlacedFeatures(first - start, feature, first - span.start, last - first))
    return placed
