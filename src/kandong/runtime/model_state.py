"""What is on this machine of one model: the original, and conversions of it.

Owns: finding both and saying whether they can be used, without loading a model. Must not know: how it is shown, memory,
the format of either.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kandong.errors import CheckpointError, ModelNotFoundError
from kandong.models.catalogue import DEFAULT_MODEL, MODEL_VARIABLE, FoundModel, find_model, full_name
from kandong.runtime.model_sizes import KNOWN_SIZES, ModelSize, size_of
from kandong.vlm.checkpoint import Checkpoint
from kandong.vlm.config import read_model_config
from kandong.vlm.prompt import PromptEncoder


@dataclass(frozen=True)
class Conversion:
    """A conversion; ``error`` says why it cannot be used. ``weight_type`` is ``None`` where that cannot be read."""

    folder: Path
    weight_type: str | None
    weights_bytes: int
    error: CheckpointError | None


@dataclass(frozen=True)
class ModelState:
    """``found`` is ``None`` if nothing is here. ``error`` is why the model, or the original alone, cannot be used.

    ``original_bytes`` is ``None`` where there is no usable original, as for an exported conversion. ``size`` is
    ``None`` where neither the name nor a file tells it. ``conversions`` is ``None`` where OpenVINO is missing, without
    which they cannot be read.
    """

    found: FoundModel | None
    error: ModelNotFoundError | CheckpointError | None
    original_bytes: int | None
    size: ModelSize | None
    conversions: tuple[Conversion, ...] | None

    @property
    def usable_conversion(self) -> Conversion | None:
        """A conversion that can be loaded, int8 before other types."""
        usable = [c for c in self.conversions or () if c.error is None]
        return min(usable, key=lambda c: c.weight_type != "int8", default=None)

    @property
    def is_here(self) -> bool:
        """Whether nothing has to be fetched, as far as the original tells."""
        return self.found is not None and self.error is None


def read_model_state(name: str | None, *, verify: bool, has_openvino: bool) -> ModelState:
    """Look for a model, named as for ``find_model``.

    ``verify`` compares every byte of conversions with its sum, and parses the tokenizer, which takes half a second and
    is else only looked for.
    """
    try:
        found = find_model(name)
    except ModelNotFoundError as error:
        wanted = os.environ.get(MODEL_VARIABLE, DEFAULT_MODEL) if name is None else name
        size = KNOWN_SIZES.get(full_name(wanted) or "")
        return ModelState(None, error, None, size, () if has_openvino else None)
    # What ``vlm.converted`` calls the manifest; that module cannot be imported without OpenVINO.
    if (found.folder / "kandong.json").is_file():
        only = (_read_conversion(found.folder, verify),) if has_openvino else None
        return ModelState(found, None, None, _size_in(found), only)
    try:
        checkpoint = Checkpoint(found.folder)
        _check_tokenizer(found.folder, checkpoint, verify)
    except CheckpointError as error:
        # A conversion of an original that cannot be read is of no use: nobody could tell whether it is one of this.
        return ModelState(found, error, None, KNOWN_SIZES.get(found.name), () if has_openvino else None)
    original_bytes = sum(path.stat().st_size for path in found.folder.glob("*.safetensors"))
    conversions = _conversions(found, checkpoint, verify) if has_openvino else None
    return ModelState(found, None, original_bytes, size_of(checkpoint.config), conversions)


def _check_tokenizer(folder: Path, checkpoint: Checkpoint, verify: bool) -> None:
    if verify:
        PromptEncoder(folder, checkpoint.config)
    elif not (folder / "tokenizer.json").is_file():
        raise CheckpointError("tokenizer.json is missing.", hint="Download that file again.")


def _size_in(found: FoundModel) -> ModelSize | None:
    try:
        return size_of(read_model_config(found.folder))
    except CheckpointError:
        return KNOWN_SIZES.get(found.name)


def _conversions(found: FoundModel, checkpoint: Checkpoint, verify: bool) -> tuple[Conversion, ...]:
    """Find the conversions of exactly this original; one of which that cannot be read is known by its folder's name."""
    from kandong.runtime.prepared import list_converted
    from kandong.vlm.converted import read_manifest

    source = checkpoint.identity()
    conversions = []
    for listed in list_converted():
        if listed.weight_type is None:
            is_of_this = listed.folder.name.startswith(f"{found.name.replace('/', '--')}-")
        else:
            is_of_this = listed.name == found.name and read_manifest(listed.folder).get("source") == source
        if is_of_this:
            conversions.append(_read_conversion(listed.folder, verify))
    return tuple(conversions)


def _read_conversion(folder: Path, verify: bool) -> Conversion:
    from kandong.vlm.converted import read_manifest, verify_weights

    weight_type: str | None = None
    weights_bytes = 0
    error: CheckpointError | None = None
    try:
        manifest = read_manifest(folder)
        weight_type, weights_bytes = manifest["weight_type"], manifest["weights_bytes"]
        if verify:
            verify_weights(folder, manifest)
    except CheckpointError as caught:
        error = caught
    return Conversion(folder, weight_type, weights_bytes, error)
