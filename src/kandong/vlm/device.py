"""The CPU as OpenVINO sees it: precision choices and compilation.

Owns: which compute type and cache type go with which precision, and the plugin's settings. Must not know: what the
graphs mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import ml_dtypes
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from kandong.errors import InputError
from kandong.vlm.weights import WeightType


class Precision(StrEnum):
    """What a user may ask for. ``auto`` is int8 weights with the fastest exact-enough compute of this CPU."""

    AUTO = "auto"
    INT8 = "int8"
    INT4 = "int4"
    BF16 = "bf16"
    F32 = "f32"


class Compute(StrEnum):
    """The type that activations are computed in."""

    BF16 = "bf16"
    F32 = "f32"


@dataclass(frozen=True)
class Numerics:
    """A resolved precision: how weights are stored, what is computed in, how keys and values are kept."""

    weights: WeightType
    compute: Compute
    kv_cache: str  # "f16", "bf16" or "f32"

    def __str__(self) -> str:
        return f"{self.weights} weights, {self.compute} compute, {self.kv_cache} cache"


def cpu_has_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 natively (AVX512-BF16 or AMX)."""
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def resolve_numerics(precision: Precision, compute: Compute | None = None) -> Numerics:
    """Choose numerics for this CPU; ``compute`` overrides the choice, except in f32 mode, which is exact throughout.

    Errors: ``InputError`` for f32 precision with another compute type.
    """
    if precision is Precision.F32:
        if compute is Compute.BF16:
            raise InputError("Precision f32 computes in f32.", hint="Leave compute away.", field="compute")
        return Numerics(WeightType.F32, Compute.F32, "f32")
    weights = WeightType.INT8 if precision is Precision.AUTO else WeightType(precision.value)
    chosen = compute or (Compute.BF16 if cpu_has_bf16() else Compute.F32)
    # The plugin refuses an f32 cache under bf16 compute and a bf16 cache under f32 compute.
    return Numerics(weights, chosen, "bf16" if chosen is Compute.BF16 else "f16")


class Device:
    """Compiles graphs for the CPU with one set of numerics and threads."""

    def __init__(self, numerics: Numerics, num_threads: int | None = None) -> None:
        self.numerics = numerics
        self._core = ov.Core()
        self._settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": numerics.compute.value,
            "KV_CACHE_PRECISION": numerics.kv_cache,
            # Activations are quantised in groups of 128 for the int8 kernels: the best of 0/32/128/1024 measured for
            # prefill and single tokens together.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "128" if numerics.weights in (WeightType.INT8, WeightType.INT4) else "0",
        }
        if num_threads is not None:
            self._settings["INFERENCE_NUM_THREADS"] = num_threads

    def compile(self, model: ov.Model) -> Any:
        """Compile a graph; gives an ``openvino.CompiledModel``."""
        return self._core.compile_model(model, "CPU", self._settings)


def run_in_place(request: Any, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[NDArray[Any]] = ()) -> None:
    """Run an inference request on arrays without copying them; its outputs go to ``outputs``, if given.

    OpenVINO keeps no reference to the arrays that it uses, so they (and copies made to be contiguous) are held here
    until the inference has ended.
    """
    held = {name: np.asarray(values, order="C") for name, values in inputs.items()}
    for name, values in held.items():
        request.set_tensor(name, _shared_tensor(values))
    for i, output in enumerate(outputs):
        request.set_output_tensor(i, _shared_tensor(output))
    request.infer()


def _shared_tensor(array: NDArray[Any]) -> ov.Tensor:
    """Give a tensor over an array's memory; numpy knows bfloat16 only as a foreign type."""
    if array.dtype == ml_dtypes.bfloat16:
        return ov.Tensor(array.view(np.uint16), ov.Shape(array.shape), ov.Type.bf16)
    return ov.Tensor(array, shared_memory=True)
