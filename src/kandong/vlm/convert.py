"""Conversion: from a checkpoint to a converted folder, once.

Owns: which weights a converted model holds, by building the graphs with a source that writes instead of computing, so
that it cannot forget one. Must not know: the folder's format, where converted models lie.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from openvino import opset13 as op

from kandong.vlm.attention import PagedAttention
from kandong.vlm.checkpoint import EMBEDDING, Checkpoint, Weight, expected_tensors
from kandong.vlm.converted import FORMAT, ConvertedWriter, write_converted
from kandong.vlm.language import build_language_model
from kandong.vlm.vision import LEARNED_POSITIONS
from kandong.vlm.vision_graphs import build_tower
from kandong.vlm.weights import CheckpointWeights, Value, WeightType

ReportProgress = Callable[[int, int], None]


class _RecordingWeights:
    """Hands out weights as a checkpoint does, and writes each to a converted folder on the way.

    A matrix is answered by nodes of its shape without values: nobody computes with these graphs.
    """

    def __init__(self, weights: CheckpointWeights, writer: ConvertedWriter, report: Callable[[int], None]) -> None:
        self._weights = weights
        self._writer = writer
        self._report = report

    def matrix(self, names: Sequence[str], weight_type: WeightType) -> Value:
        stored = self._weights.stored(names, weight_type)
        self._writer.add_matrix(names, stored)
        self._report(len(names))
        shape = op.constant(np.asarray(stored.shape, np.int32))
        return op.broadcast(op.constant(np.zeros((), np.float32)), shape)

    def tensor(self, name: str) -> Weight:
        tensor = self._weights.tensor(name)
        self._writer.add_tensor(name, tensor)
        self._report(1)
        return tensor


def convert(
    checkpoint: Checkpoint, target: Path, name: str, weight_type: WeightType, report: ReportProgress | None = None
) -> None:
    """Convert a checkpoint into the folder ``target``; ``report`` hears tensors done and in all.

    Errors: ``CheckpointError``; ``OSError`` if the folder cannot be written, which then does not exist.
    """
    total = len(expected_tensors(checkpoint.config))
    done = 0

    def advance(num_tensors: int) -> None:
        nonlocal done
        done = min(done + num_tensors, total)
        if report is not None:
            report(done, total)

    about = {"name": name, "weight_type": str(weight_type), "source": checkpoint.identity()}
    with write_converted(target, checkpoint.folder, about) as writer:
        source = _RecordingWeights(CheckpointWeights(checkpoint), writer, advance)
        source.tensor(EMBEDDING)
        source.tensor(LEARNED_POSITIONS)
        attention = PagedAttention(checkpoint.config.text)
        build_language_model(checkpoint.config, source, weight_type, attention)
        build_tower(checkpoint.config.vision, source, weight_type)
        checkpoint.require_all_taken()


def conversion_key(checkpoint: Checkpoint, weight_type: WeightType) -> str:
    """Give the folder name of a conversion: it changes with the checkpoint, the weight type and the format."""
    facts = json.dumps([FORMAT, str(weight_type), checkpoint.identity()], sort_keys=True)
    return f"{weight_type}-{hashlib.sha256(facts.encode()).hexdigest()[:24]}"
