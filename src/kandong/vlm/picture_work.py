"""Pictures on their way through the tower, and their features for everyone who waits for them.

Owns: passes under way, shared by all requests about the same picture, and the feature cache. Must not know: whose turn
it is, tokens, blocks.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from kandong.errors import InputError
from kandong.types import Picture, PictureRef
from kandong.vlm.config import ModelConfig
from kandong.vlm.costs import CostModel
from kandong.vlm.features import FeatureCache
from kandong.vlm.loading import RunningPicture, Tower
from kandong.vlm.pixels import make_patches
from kandong.vlm.plan import FeatureKey
from kandong.vlm.request import Progress
from kandong.vlm.sequence import SequenceState

# Rounding features, and giving the tower's memory back: 80 ms for 1,024 tokens, most of it on one core.
_HAND_OUT_MS_PER_PATCH = 0.02


class PictureWork:
    """The tower with its cache. The engine's thread owns it."""

    def __init__(self, tower: Tower, config: ModelConfig, cache: FeatureCache, costs: CostModel) -> None:
        self.cache = cache
        self._costs = costs
        self._tower = tower
        self._config = config
        self._passes: dict[FeatureKey, RunningPicture] = {}

    @property
    def num_passes(self) -> int:
        """Pictures under way."""
        return len(self._passes)

    def is_known(self, key: FeatureKey) -> bool:
        """Whether nobody need bring the pixels of a picture: it was seen, or is being seen."""
        return key in self._passes or key in self.cache

    def pin(self, sequence: SequenceState) -> None:
        """Give a new sequence the features that are there.

        Errors: ``InputError`` if one is not and its picture came without pixels.
        """
        for key, picture in zip(sequence.plan.keys, sequence.plan.pictures, strict=True):
            found = self.cache.get(key)
            if found is not None:
                sequence.give_features(key, *found)
            elif isinstance(picture, PictureRef) and key not in self._passes:
                raise InputError("The pixels of a picture are needed.", hint="Send the picture.", field="pictures")

    def run_stage(
        self, sequence: SequenceState, index: int, everyone: Iterable[SequenceState], within_ms: float
    ) -> float:
        """Run as many of the next pieces of a picture as fit into ``within_ms`` by what they cost before, at least one.

        The last stage gives the features to all who wait. Gives the seconds that it took, without preprocessing.
        """
        key, since = sequence.plan.keys[index], time.perf_counter()
        max_units = self._costs.vision_units_within(within_ms / 2)
        preprocess_s, is_begun = 0.0, False

        def has_time_for(ms: float) -> bool:
            return not is_begun or (time.perf_counter() - since) * 1e3 + ms <= within_ms

        if (running := self._passes.get(key)) is None:
            running, preprocess_s = self._start(sequence, index)
            is_begun = True
        while not running.is_done and has_time_for(self._costs.vision_ms(running.next_units(max_units))):
            self._run_piece(running, max_units)
            is_begun = True
        if running.is_done and has_time_for(_HAND_OUT_MS_PER_PATCH * key.grid_height * key.grid_width):
            del self._passes[key]
            features = self.cache.put(key, running.features())
            for other in everyone:
                other.give_features(key, features, "computed")
        return time.perf_counter() - since - preprocess_s

    def _run_piece(self, running: RunningPicture, max_units: float) -> None:
        units, since = running.next_units(max_units), time.perf_counter()
        running.step()
        self._costs.observe_vision(units, (time.perf_counter() - since) * 1e3)

    def _start(self, sequence: SequenceState, index: int) -> tuple[RunningPicture, float]:
        """Begin a picture; gives the seconds of preprocessing too."""
        picture = sequence.plan.pictures[index]
        assert isinstance(picture, Picture), "a picture without pixels was taken in"
        since = time.perf_counter()
        patches = make_patches(picture.rgb, self._config.pixels, sequence.request.budget)
        preprocess_s = time.perf_counter() - since
        sequence.clock.add("preprocess", preprocess_s)
        running = self._passes[sequence.plan.keys[index]] = self._tower.start(patches)
        return running, preprocess_s

    def drop_unwanted(self, everyone: Iterable[SequenceState]) -> None:
        """Stop pictures that nobody waits for any more."""
        wanted = {key for sequence in everyone for key in sequence.keys_waited_for()}
        for key in self._passes.keys() - wanted:
            del self._passes[key]

    def progress(self, sequence: SequenceState) -> Progress:
        """Say how far a sequence's pictures are, in pieces over all of them."""
        num_pieces, num_pictures = self._tower.num_pieces, len(sequence.plan.spans)
        missing = [i for i, features in enumerate(sequence.features) if features is None]
        num_done = (num_pictures - len(missing)) * num_pieces
        if missing and (running := self._passes.get(sequence.plan.keys[missing[0]])) is not None:
            num_done += running.num_pieces_done
        return Progress("vision", num_done, num_pictures * num_pieces)
