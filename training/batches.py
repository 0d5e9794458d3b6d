"""Cards and questions as arrays: patches, ids, masks, what each cell holds.

Owns: laying several questions behind one picture. Must not know: losses, optimisers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import places, shape, tokens
from .cards import Card
from .questions import Asked

SLOTS = 2  # glyphs that may begin in one cell: at its left edge, and at its middle
FIRST_CELL = len(tokens.opening())


@dataclass
class Batch:
    """Cards of one shape. ``targets`` are (row, token) places of ``answers``; ``asked_of`` numbers their questions.

    ``ids`` (rows, tokens); ``mask`` (rows, 1, tokens, tokens); ``cells`` (rows, cells, slots) of ids.
    """

    columns: int
    rows: int
    patches: Tensor | None
    cells: Tensor
    ids: Tensor
    mask: Tensor
    cos: Tensor
    sin: Tensor
    targets: Tensor
    answers: Tensor
    weights: Tensor
    asked_of: Tensor
    asked: list[Asked]


def patches_of(card: Card) -> NDArray[np.float32]:
    """Give a card's patches (patches, 768), channel by channel, from -1 to 1, in the order of the tower."""
    size = shape.PATCH_PX
    scaled = card.picture.astype(np.float32) / 127.5 - 1.0
    cut = scaled.reshape(card.rows, shape.MERGE, size, card.columns, shape.MERGE, size, 3)
    return cut.transpose(0, 3, 1, 4, 6, 2, 5).reshape(-1, shape.PATCH_VALUES)


def cells_of(card: Card) -> NDArray[np.int64]:
    """Give the ids of the glyphs that begin in each cell (cells, slots)."""
    held = np.full((card.rows, card.columns * SLOTS), tokens.EMPTY, np.int64)
    for line in card.lines:
        for sign, begin in zip(line.text, line.places, strict=True):
            held[line.row, line.start_half + begin] = tokens.ID[sign]
    return held.reshape(-1, SLOTS)


def _blocks(asked: list[Asked], budget: int) -> list[tuple[list[int], list[bool], Asked]]:
    """Give ids and which of them are answers, for as many questions as fit."""
    blocks, used = [], 0
    for one in asked:
        ids: list[int] = []
        answers: list[bool] = []
        part: Asked | None = one
        while part is not None:
            asking = tokens.turn(part.question) if not ids else tokens.further_turn(part.question)
            answering = [*tokens.encode(part.answer), tokens.END]
            ids += asking + answering
            answers += [False] * len(asking) + [True] * len(answering)
            part = part.further
        if used + len(ids) <= budget:
            blocks.append((ids, answers, one))
            used += len(ids)
    return blocks


def batch(cards: list[Card], asked: list[list[Asked]], budget: int, *, with_pictures: bool = True) -> Batch:
    """Lay cards of one shape and their questions out; ``budget`` tokens are kept for the questions of each."""
    columns, rows = cards[0].columns, cards[0].rows
    prefix = [*tokens.opening(), *[tokens.PICTURE] * (columns * rows), tokens.ID["<|vision_end|>"]]
    length, behind = len(prefix) + budget, FIRST_CELL + max(columns, rows)
    ids = np.full((len(cards), length), tokens.EMPTY, np.int64)
    segment = np.full((len(cards), length), -1, np.int64)
    positions = np.zeros((3, len(cards), length), np.int64)
    ids[:, : len(prefix)], segment[:, : len(prefix)] = prefix, 0
    positions[:, :, :FIRST_CELL] = np.arange(FIRST_CELL)
    cell = np.arange(columns * rows)
    at_cells = np.stack([cell * 0, cell // columns, cell % columns]) + FIRST_CELL
    positions[:, :, FIRST_CELL : len(prefix) - 1] = at_cells[:, None]
    positions[:, :, len(prefix) - 1] = behind
    targets, answers, weights, asked_of = [], [], [], []
    kept: list[Asked] = []
    for i, questions in enumerate(asked):
        at = len(prefix)
        for number, (block, is_answer, one) in enumerate(_blocks(questions, budget), start=1):
            span = slice(at, at + len(block))
            ids[i, span], segment[i, span] = block, number
            positions[:, i, span] = behind + 1 + np.arange(len(block))
            found = np.flatnonzero(is_answer)
            targets += [(i, at + int(place) - 1) for place in found]
            answers += [block[place] for place in found]
            weights += [1.0 if one.kind in ("transcribe", "line") else 2.0] * len(found)
            asked_of += [len(kept)] * len(found)
            kept.append(one)
            at += len(block)
    sees = (segment[:, None, :] == 0) | (segment[:, None, :] == segment[:, :, None])
    mask = (sees & np.tri(length, dtype=bool)) | np.eye(length, dtype=bool)
    cos, sin = places.text_angles(positions)
    return Batch(
        columns,
        rows,
        torch.from_numpy(np.stack([patches_of(card) for card in cards])) if with_pictures else None,
        torch.from_numpy(np.stack([cells_of(card) for card in cards])),
        torch.from_numpy(ids),
        torch.from_numpy(mask)[:, None],
        cos,
        sin,
        torch.tensor(targets),
        torch.tensor(answers),
        torch.tensor(weights),
        torch.tensor(asked_of),
        kept,
    )


def without_colour(asked: list[Asked]) -> list[Asked]:
    """Leave out what only a picture tells."""
    return [one for one in asked if one.kind != "colour"]
