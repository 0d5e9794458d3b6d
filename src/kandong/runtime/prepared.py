"""Converted models in the cache folder: made once, found again, thrown away when damaged.

Owns: where conversions lie and when one is made. Must not know: their format, graphs.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kandong.errors import CheckpointError, InputError, ModelNotFoundError
from kandong.models.catalogue import FoundModel, converted_folder, find_model, full_name
from kandong.vlm.checkpoint import Checkpoint, expected_tensors
from kandong.vlm.convert import conversion_key, convert
from kandong.vlm.converted import WEIGHTS, is_converted, read_manifest, verify_weights
from kandong.vlm.device import Precision, resolve_numerics
from kandong.vlm.weights import WeightType

Report = Callable[[str], None]
_BYTES_PER_VALUE = {WeightType.INT8: 1.0, WeightType.INT4: 0.65, WeightType.BF16: 2.0, WeightType.F32: 4.0}
_STALE_AFTER_S = 6 * 3600


def prepare_model(found: FoundModel, precision: Precision, report: Report) -> Path:
    """Give the folder to load: the conversion of a checkpoint, made now if it is not there yet.

    Where it cannot be made (no space, no permission), that is reported and the checkpoint itself is given, which loads
    more slowly. Errors: ``CheckpointError`` for an unusable checkpoint.
    """
    if is_converted(found.folder):
        return found.folder
    report("checking the checkpoint")
    checkpoint = Checkpoint(found.folder)
    weight_type = resolve_numerics(precision).weights
    target = converted_folder() / f"{found.name.replace('/', '--')}-{conversion_key(checkpoint, weight_type)}"
    if is_converted(target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target.parent)
        needed = _estimate_bytes(checkpoint, weight_type)
        if shutil.disk_usage(target.parent).free < needed:
            report(f"not enough space to keep a converted model ({needed / 2**30:.1f} GiB): converting in memory")
            return found.folder
        convert(
            checkpoint,
            target,
            found.name,
            weight_type,
            lambda done, total: report(f"converting, this once: {100 * done // total} %"),
        )
    except OSError:
        report("the cache folder cannot be written: converting in memory")
        return found.folder
    return target


def discard_damaged(folder: Path) -> bool:
    """Remove a conversion of the cache folder that turned out to be damaged; False for any other folder."""
    if folder.parent != converted_folder():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


@dataclass(frozen=True)
class ConvertedModel:
    """A conversion in the cache folder; ``weight_type`` is ``None`` where it cannot be read."""

    name: str
    weight_type: str | None
    folder: Path
    num_bytes: int


def list_converted() -> list[ConvertedModel]:
    """List what is in the cache folder."""
    listed = []
    root = converted_folder()
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if not is_converted(folder):
            continue
        num_bytes = sum(path.stat().st_size for path in folder.iterdir())
        try:
            manifest: dict[str, Any] = read_manifest(folder)
            listed.append(ConvertedModel(manifest["name"], manifest["weight_type"], folder, num_bytes))
        except CheckpointError:
            listed.append(ConvertedModel(folder.name, None, folder, num_bytes))
    return listed


def select_converted(name: str) -> list[ConvertedModel]:
    """Find conversions by the name of their model or of their folder. Errors: ``ModelNotFoundError``."""
    wanted = {name, full_name(name)}
    selected = [model for model in list_converted() if wanted & {model.name, model.folder.name}]
    if not selected:
        raise ModelNotFoundError(
            f"No converted model is called {name}.", hint="`kandong models` lists those that there are.", field="model"
        )
    return selected


def verify_model(folder: Path) -> None:
    """Compare every byte of a converted folder with its sums. Errors: ``CheckpointError``."""
    verify_weights(folder, read_manifest(folder))


def export_model(name: str | None, target: Path, precision: Precision, report: Report) -> Path:
    """Copy a converted model, made now if need be, into a new folder for a machine without network.

    Errors: ``InputError`` if the target exists already; ``CheckpointError`` if the conversion is damaged.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} exists already.", hint="Name a new or empty folder.", field="directory")
    source = prepare_model(find_model(name), precision, report)
    if not is_converted(source):
        raise InputError("The model could not be converted.", hint="Make room in the cache folder first.")
    draft = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(draft, ignore_errors=True)
    report("copying")
    shutil.copytree(source, draft)
    verify_model(draft)
    if target.exists():
        target.rmdir()
    draft.rename(target)
    return target


def _estimate_bytes(checkpoint: Checkpoint, weight_type: WeightType) -> int:
    """Estimate the size of a conversion, with a tenth to spare: matrices, and the embedding table in two bytes."""
    text = checkpoint.config.text
    total = 0
    for shape in expected_tensors(checkpoint.config).values():
        size = 1
        for length in shape:
            size *= length
        total += size
    return int(1.1 * (_BYTES_PER_VALUE[weight_type] * total + 2 * text.vocab_size * text.hidden_size))


def _remove_leftovers(root: Path) -> None:
    """Remove drafts of conversions that were killed: those whose weights have not grown for hours."""
    for draft in root.glob(".unfinished-*"):
        weights = draft / WEIGHTS
        touched = (weights if weights.exists() else draft).stat().st_mtime
        if time.time() - touched > _STALE_AFTER_S or not _is_running(draft):
            shutil.rmtree(draft, ignore_errors=True)


def _is_running(draft: Path) -> bool:
    """Whether the process that a draft is named after still lives."""
    number = draft.name.removeprefix(".unfinished-").split("-")[0]
    if os.name != "posix" or not number.isdigit():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
