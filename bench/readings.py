"""Reads cards with Kandong and with plain RapidOCR in turn, and keeps what each read, so that scoring can be repeated.

Owns: the two readers, their clock, the file of readings. Must not know: what counts as a mistake.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rapidocr import EngineType, RapidOCR

from bench.cards.truth import Card, Point
from kandong.reading import reader
from kandong.types import Picture

OURS: Final = "kandong"
PLAIN: Final = "rapidocr"
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class ReadLine:
    """A line as a tool gave it. ``is_marked``: the tool says itself that it is unsure (plain RapidOCR never does)."""

    text: str
    quad: tuple[Point, Point, Point, Point]
    conf: float
    is_marked: bool = False


@dataclass(frozen=True)
class Reading:
    """What a tool read on a card, in its order, codes included, and how long it took."""

    lines: tuple[ReadLine, ...]
    codes: tuple[str, ...]
    took_s: float


def _quad(points: Any) -> tuple[Point, Point, Point, Point]:
    a, b, c, d = ((float(x), float(y)) for x, y in points)
    return a, b, c, d


class Ours:
    """Kandong's ``read``, nothing kept from one card to the next."""

    def read(self, rgb: Pixels) -> Reading:
        """Read a picture (height, width, 3)."""
        start = time.perf_counter()
        found = reader.read_picture(Picture(rgb, "PNG"))
        took = time.perf_counter() - start
        lines = tuple(ReadLine(n.text, _quad(n.corners), n.conf, n.low_conf) for n in found.lines)
        return Reading(lines, tuple(code.text for code in found.codes), took)


class Plain:
    """RapidOCR with its defaults and the weights of its wheel, on the same runtime as ours."""

    def __init__(self) -> None:
        engine = EngineType.OPENVINO
        self._ocr = RapidOCR(
            params={
                "Global.log_level": "error",
                "Det.engine_type": engine,
                "Cls.engine_type": engine,
                "Rec.engine_type": engine,
            }
        )

    def read(self, rgb: Pixels) -> Reading:
        """Read a picture (height, width, 3). RapidOCR takes arrays as BGR and reads no codes."""
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        start = time.perf_counter()
        result: Any = self._ocr(bgr)
        took = time.perf_counter() - start
        if result.boxes is None:
            return Reading((), (), took)
        found = zip(result.txts, result.boxes, result.scores, strict=True)
        return Reading(tuple(ReadLine(text, _quad(box), float(score)) for text, box, score in found), (), took)


def read_all(cards: Iterable[Card], target: Path) -> Iterator[str]:
    """Read each card with both tools, a row of JSON each; who goes first changes. Gives each card's name when done."""
    tools: dict[str, Ours | Plain] = {OURS: Ours(), PLAIN: Plain()}
    blank = np.full((1440, 1080, 3), 255, np.uint8)
    for tool in tools.values():
        tool.read(blank)
        tool.read(np.roll(blank, 1) // 2)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as file:
        for i, card in enumerate(cards):
            rgb = np.asarray(card.image)
            order = (OURS, PLAIN) if i % 2 else (PLAIN, OURS)
            readings = {name: asdict(tools[name].read(rgb)) for name in order}
            row = {"kind": card.kind, "seed": card.seed, "readings": readings}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            yield card.name


def load_readings(path: Path) -> Iterator[tuple[str, int, dict[str, Reading]]]:
    """Give kind, seed and each tool's reading of every card in a file that ``read_all`` wrote."""
    for row in path.read_text("utf-8").splitlines():
        data = json.loads(row)
        yield data["kind"], data["seed"], {name: _reading(value) for name, value in data["readings"].items()}


def _reading(data: dict[str, Any]) -> Reading:
    lines = tuple(ReadLine(n["text"], _quad(n["quad"]), n["conf"], n["is_marked"]) for n in data["lines"])
    return Reading(lines, tuple(data["codes"]), data["took_s"])
