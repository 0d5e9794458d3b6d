"""PP-OCR's recogniser: what a straightened line says, each character with its place, confidence and runner-up.

Owns: the graph, opened from RapidOCR's weights for as many lines at once as there are cores, scaling and decoding.
Must not know: where lines come from, what the text means.

One line is too little work for several cores: two lines side by side, each on one core, take about a quarter less time
than one after the other on both.
"""

from __future__ import annotations

import math
import queue
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import openvino
from numpy.typing import NDArray

from kandong.machine import num_usable_cores
from kandong.reading.quads import Rgb

LINE_HEIGHT_PX: Final = 48
# Widths are rounded up to steps, so that few different shapes are compiled.
_LINE_WIDTH_STEP_PX: Final = 32
_LINE_MIN_WIDTH_PX: Final = 64
_LINE_MAX_WIDTH_PX: Final = 3_200
# Each keeps a work space of its own.
_MAX_STREAMS: Final = 8
# Where the likeliest character is less likely than this, others are named down to a small share.
_DOUBTED_BELOW: Final = 0.98
_MIN_OTHER_CONF: Final = 0.001
_MAX_OTHERS: Final = 12
_MIN_JOINED: Final = 1e-7
_MIN_LIKELY: Final = 1e-4
# How much the other graph counts of two that speak together, and what of their word for no character is believed: where
# they disagree on a glyph, nothing is what they agree on (docs/experiments.md).
_OTHERS_WEIGHT: Final = 0.65
_BLANK_SHARE: Final = 0.2
# The full stop behind a sentence is its smallest glyph and fades first. Of 1,663 lines without one no blank end held
# more than 0.0009 of it, of 25 lines that had lost theirs 20 held more than 0.009 (docs/experiments.md). Sharp print
# has sharp full stops, and what ends with one is a sentence.
_FULL_STOP: Final = "。"
_MIN_FULL_STOP_CONF: Final = 0.009
_MIN_SENTENCE_HAN: Final = 5
_WORN_BELOW: Final = 0.995


@dataclass(frozen=True)
class RawCharacter:
    """One character as the recogniser gave it.

    ``center`` is a fraction of the crop's width. ``runner_up`` is the second likeliest character of that place, empty
    if that is none at all. ``others`` are all that come into question where the place is in doubt, likeliest first.
    """

    text: str
    conf: float
    center: float
    runner_up: str
    runner_up_conf: float
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class RawLine:
    """One line as the recogniser gave it; no characters if nothing was seen."""

    characters: tuple[RawCharacter, ...]

    @property
    def text(self) -> str:
        """The text of all characters."""
        return "".join(c.text for c in self.characters)

    @property
    def conf(self) -> float:
        """Mean confidence of the characters; 0.0 without any."""
        return float(np.mean([c.conf for c in self.characters])) if self.characters else 0.0


class Recogniser:
    """The graph with a stream for each core. Any thread may call."""

    def __init__(
        self, weights: Path, num_streams: int | None = None, *, change: Callable[[Any], None] | None = None
    ) -> None:
        """Open the graph; ``change`` may put other constants into it."""
        wanted = min(num_usable_cores(), _MAX_STREAMS) if num_streams is None else num_streams
        core = openvino.Core()
        model = core.read_model(weights)
        if change is not None:
            change(model)
        self._alphabet = alphabet_of(model)
        self._full_stop = self._alphabet.index(_FULL_STOP)
        compiled = core.compile_model(model, "CPU", {"NUM_STREAMS": wanted, "INFERENCE_NUM_THREADS": wanted})
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(wanted):
            self._requests.put(compiled.create_infer_request())
        self._pool = ThreadPoolExecutor(wanted, thread_name_prefix="recogniser")

    def read(self, crops: Iterable[Rgb]) -> list[RawLine]:
        """Read straightened crops of one line each, in order. A crop may have any size from 1×1.

        Crops are drawn from ``crops`` while earlier ones are already being read.
        """
        return list(self._pool.map(self.read_one, crops))

    def read_one(self, crop: Rgb) -> RawLine:
        """Read one crop on the calling thread."""
        with self._inferred(crop) as (values, used):
            return decode(values, used, self._alphabet, self._full_stop)

    def read_together(self, other: Recogniser, crops: Iterable[Rgb]) -> list[RawLine]:
        """Read crops, in order, by what this and another graph of the same shape say together.

        Their probabilities' weighted geometric mean counts: what one of them holds for impossible is not said.
        """
        return list(self._pool.map(lambda crop: self._read_one_together(other, crop), crops))

    def _read_one_together(self, other: Recogniser, crop: Rgb) -> RawLine:
        with self._inferred(crop) as (own, used), other._inferred(crop) as (others, _):
            return decode(joined(own, others), used, self._alphabet, self._full_stop)

    @contextmanager
    def _inferred(self, crop: Rgb) -> Iterator[tuple[NDArray[np.float32], float]]:
        """Give (steps, alphabet) in probabilities, which the next line overwrites, and the used share of the width."""
        planes, used = line_planes(crop)
        request = self._requests.get()
        try:
            request.infer([planes[None]])
            yield request.get_output_tensor().data[0], used
        finally:
            self._requests.put(request)


def joined(values: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the weighted geometric mean of probabilities (steps, alphabet), with less of the blank, made whole."""
    # Thousands of characters are nowhere likely; powers of all of them would take longer than the graphs.
    is_likely = np.maximum(values.max(axis=0), others.max(axis=0)) >= _MIN_LIKELY
    is_likely[0] = True
    own, other = (np.maximum(one[:, is_likely], _MIN_JOINED) for one in (values, others))
    mean = own * (other / own) ** _OTHERS_WEIGHT
    mean[:, 0] *= _BLANK_SHARE
    whole = np.zeros_like(values)
    whole[:, is_likely] = mean / mean.sum(axis=1, keepdims=True)
    return whole


def alphabet_of(model: Any) -> list[str]:
    """Give what each place of the recogniser's output stands for: first the blank between characters, last a space."""
    names = model.get_rt_info(["framework", "character"]).value.splitlines()
    return ["", *names, " "]


def decode(values: NDArray[np.float32], used: float, alphabet: list[str], full_stop: int | None = None) -> RawLine:
    """Join repeated steps and drop blanks.

    ``values`` is (steps, alphabet) in probabilities, ``used`` the share of the width that is not padding. With the
    place of the full stop in the alphabet, a faint one behind a line of Chinese is kept.
    """
    best = values.argmax(axis=1)
    is_new = np.ones(len(best), dtype=bool)
    is_new[1:] = best[1:] != best[:-1]
    columns = np.flatnonzero(is_new & (best != 0))
    rows = values[columns]  # a copy
    each = np.arange(len(columns))
    confs = rows[each, best[columns]]
    rows[each, best[columns]] = -1.0
    seconds = rows.argmax(axis=1) if len(columns) else columns
    characters = []
    for column, second, conf, other_conf in zip(columns, seconds, confs, rows[each, seconds], strict=True):
        text, other = alphabet[int(best[column])], alphabet[int(second)]
        # ￥ and ¥, ： and : are one character in two widths, and doubt between them is none.
        is_same = bool(other) and unicodedata.normalize("NFKC", text) == unicodedata.normalize("NFKC", other)
        characters.append(
            RawCharacter(
                text=text,
                conf=min(1.0, float(conf) + (float(other_conf) if is_same else 0.0)),
                center=min(1.0, (int(column) + 0.5) / (len(best) * used)),
                runner_up=other,
                runner_up_conf=float(other_conf),
                others=_others(values[column], alphabet) if conf < _DOUBTED_BELOW else (),
            )
        )
    is_han = ["\u4e00" <= c.text <= "\u9fff" for c in characters]
    if full_stop is not None and sum(is_han) >= _MIN_SENTENCE_HAN and is_han[-1]:
        line = RawLine(tuple(characters))
        characters += _faint_full_stop(values[int(columns[-1]) + 1 :, full_stop], used, len(best), line)
    return RawLine(tuple(characters))


def _faint_full_stop(after: NDArray[np.float32], used: float, num_steps: int, before: RawLine) -> list[RawCharacter]:
    """Give the full stop if it is likely enough that one of the blank steps ``after`` the last glyph holds it.

    It is as sure as what stands ``before`` it: what little is seen of it is all the evidence that is needed.
    """
    if before.conf >= _WORN_BELOW or 1.0 - float(np.prod(1.0 - after)) < _MIN_FULL_STOP_CONF:
        return []
    step = num_steps - len(after) + int(after.argmax())
    return [RawCharacter(_FULL_STOP, before.conf, min(1.0, (step + 0.5) / (num_steps * used)), "", 0.0)]


def _others(values: NDArray[np.float32], alphabet: list[str]) -> tuple[tuple[str, float], ...]:
    """Give the characters of a place after the likeliest one, with their probabilities; neither blank nor space."""
    possible = np.flatnonzero(values >= _MIN_OTHER_CONF)
    possible = possible[np.argsort(-values[possible], kind="stable")][1 : _MAX_OTHERS + 1]
    return tuple((alphabet[i], float(values[i])) for i in possible.tolist() if alphabet[i].strip())


def planes_of(image: Any) -> NDArray[np.float32]:
    """Give (3, height, width) in blue, green, red, from -1 to 1."""
    planes = np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1), dtype=np.float32)
    planes *= 1 / 127.5
    planes -= 1.0
    return planes


def padded_width(width_px: int) -> int:
    """Give the width that a line of a scaled width is padded to."""
    return max(_LINE_MIN_WIDTH_PX, -(-width_px // _LINE_WIDTH_STEP_PX) * _LINE_WIDTH_STEP_PX)


def line_planes(crop: Rgb) -> tuple[NDArray[np.float32], float]:
    """Scale a crop to the recogniser's height; gives its planes and the share of their width that is the crop."""
    height, width = crop.shape[:2]
    scaled = int(np.clip(math.ceil(LINE_HEIGHT_PX * width / height), 1, _LINE_MAX_WIDTH_PX))
    padded = padded_width(scaled)
    planes = np.zeros((3, LINE_HEIGHT_PX, padded), dtype=np.float32)
    planes[:, :, :scaled] = planes_of(cv2.resize(crop, (scaled, LINE_HEIGHT_PX)))
    return planes, scaled / padded
