"""Opening a model folder, be it a checkpoint or a converted model.

Owns: telling the two apart, and running the check of converted weights while graphs are compiled. Must not know:
graphs.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kandong.errors import InputError
from kandong.vlm.checkpoint import Checkpoint
from kandong.vlm.config import ModelConfig, read_model_config
from kandong.vlm.converted import ConvertedWeights, is_converted, read_manifest, verify_weights
from kandong.vlm.device import Compute, Numerics, Precision, resolve_numerics
from kandong.vlm.memory import trim_freed_memory
from kandong.vlm.weights import CheckpointWeights, WeightSource


@dataclass(frozen=True)
class OpenedModel:
    """A model whose weights may be asked for.

    ``verify`` is called once, when the graphs are compiled and before they are used; ``forget_pages`` after they were
    used, which is when the plugin makes its own copies. ``identity`` is JSON that changes with the weights.
    """

    config: ModelConfig
    numerics: Numerics
    weights: WeightSource
    verify: Callable[[], None]
    forget_pages: Callable[[], None]
    identity: object


def open_model(folder: Path, precision: Precision, compute: Compute | None) -> OpenedModel:
    """Open a folder.

    Errors: ``CheckpointError`` for an unusable folder, from ``verify`` too, where damaged or forgotten weights show;
    ``InputError`` for a precision that a converted folder does not hold.
    """
    if is_converted(folder):
        return _open_converted(folder, precision, compute)
    checkpoint = Checkpoint(folder)
    numerics = resolve_numerics(precision, compute)
    weights = CheckpointWeights(checkpoint)
    verify = checkpoint.require_all_taken
    return OpenedModel(checkpoint.config, numerics, weights, verify, trim_freed_memory, checkpoint.identity())


def _open_converted(folder: Path, precision: Precision, compute: Compute | None) -> OpenedModel:
    manifest = read_manifest(folder)
    stored = Precision(manifest["weight_type"])
    if precision not in (Precision.AUTO, stored):
        raise InputError(
            f"The converted model holds {stored} weights, {precision} was asked for.",
            hint="Leave the precision away, or name the original checkpoint.",
            field="precision",
        )
    weights = ConvertedWeights(folder, manifest)
    # Compiling is mostly one thread's work: the other core checks meanwhile.
    pool = ThreadPoolExecutor(1)
    verified = pool.submit(verify_weights, folder, manifest)

    def verify() -> None:
        verified.result()
        pool.shutdown()
        weights.require_all_taken()

    config, numerics = read_model_config(folder), resolve_numerics(stored, compute)
    return OpenedModel(config, numerics, weights, verify, weights.forget_pages, identity=manifest)
