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
from kandong.vlm.features import FeatureCache
from kandong.vlm.loading import RunningPicture, Tower
from kandong.vlm.pixels import make_patches
from kandong.vlm.plan import FeatureKey
from kandong.vlm.request import Progress
from kandong.vlm.sequence import SequenceState


class PictureWork:
    """The tower with its cache. The engine's thread owns it."""

    def __init__(self, tower: Tower, config: ModelConfig, cache: FeatureCache) -> None:
        self.cache = cache
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

    def run_stage(self, sequence: SequenceState, index: int, everyone: Iterable[SequenceState]) -> tuple[int, float]:
        """Run the next stage of a picture; when it is the last, all who wait get the features.

        Gives the number of stages of the whole picture and the seconds that this one took, without preprocessing.
        """
        key = sequence.plan.keys[index]
        running = self._passes.get(key) or self._start(sequence, index)
        since = time.perf_counter()
        running.step()
        if running.is_done:
            del self._passes[key]
            features = self.cache.put(key, running.features())
            for other in everyone:
                other.give_features(key, features, "computed")
        return running.num_stages, time.perf_counter() - since

    def _start(self, sequence: SequenceState, index: int) -> RunningPicture:
        picture = sequence.plan.pictures[index]
        assert isinstance(picture, Picture), "a picture without pixels was taken in"
        since = time.perf_counter()
        patches = make_patches(picture.rgb, self._config.pixels, sequence.request.budget)
        sequence.clock.add("preprocess", time.perf_counter() - since)
        running = self._passes[sequence.plan.keys[index]] = self._tower.start(patches)
        return running

    def drop_unwanted(self, everyone: Iterable[SequenceState]) -> None:
        """Stop pictures that nobody waits for any more."""
        wanted = {key for sequence in everyone for key in sequence.keys_waited_for()}
        for key in self._passes.keys() - wanted:
            del self._passes[key]

    def progress(self, sequence: SequenceState) -> Progress:
        """Say how far a sequence's pictures are, in stages over all of them."""
        num_stages, num_pictures = self._tower.num_stages, len(sequence.plan.spans)
        missing = [i for i, features in enumerate(sequence.features) if features is None]
        num_done = (num_pictures - len(missing)) * num_stages
        if missing and (running := self._passes.get(sequence.plan.keys[missing[0]])) is not None:
            num_done += running.num_stages_done
        return Progress("vision", num_done, num_pictures * num_stages)
