"""The first layer of the tower begins with the strokes of glyphs: principal components of drawn patches, whitened.

Owns: the filters before training. Must not know: losses, steps. From random filters the tower took some hundred steps
to tell glyphs at all (docs/mini.md).
"""

from __future__ import annotations

from random import Random

import numpy as np
import torch
from torch import Tensor

from . import batches, cards, shape

_NUM_CARDS = 60
_NUM_COLOUR_FILTERS = 12
_LIGHT = np.array([0.3, 0.59, 0.11], np.float32)
_FLOOR = 0.02  # of the mean variance: components below it are noise


def filters(seed: int) -> Tensor:
    """Give the filters (hidden, 768): strokes in brightness, the last few the mean of a colour."""
    rng = Random(seed)
    drawn = [cards.draw_card(rng, cards.TRAINED, is_dense=True) for _ in range(_NUM_CARDS)]
    patches = np.concatenate([batches.patches_of(card) for card in drawn]).reshape(-1, 3, shape.PATCH_PX**2)
    bright = np.einsum("ncp,c->np", patches, _LIGHT)
    bright -= bright.mean(axis=1, keepdims=True)
    variances, components = np.linalg.eigh(bright.T @ bright / len(bright))
    order = np.argsort(variances)[::-1]
    scale = 1 / np.sqrt(np.maximum(variances, 0) + _FLOOR * variances.mean())
    white = (components * scale).T[order]
    made = white[:, None, :] * _LIGHT[None, :, None]
    colours = np.random.default_rng(seed).normal(0, 2.0, (_NUM_COLOUR_FILTERS, 3, 1)) / shape.PATCH_PX**2
    made[-_NUM_COLOUR_FILTERS:] = np.broadcast_to(colours, (_NUM_COLOUR_FILTERS, 3, shape.PATCH_PX**2))
    return torch.from_numpy(made.reshape(shape.HIDDEN, shape.PATCH_VALUES).astype(np.float32))
