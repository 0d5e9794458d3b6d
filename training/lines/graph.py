"""The recogniser in torch: runs the operators of OpenVINO's graph one by one, its constants being what is trained.

Owns: one torch function for each kind of operator in PP-OCR's recogniser. Must not know: texts, pictures, losses.

The weights in RapidOCR's wheel are a graph and no Python code; this way nothing has to be written again by hand, and
each trained constant keeps the name under which the product finds it. The twin test is in tests/training.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NO_BOUND = 2**62


class Step(NamedTuple):
    """One operator: its kind, its name, where its inputs come from, its attributes."""

    kind: str
    name: str
    inputs: list[tuple[str, int]]
    attributes: dict[str, Any]


class Graph(nn.Module):
    """The graph as a module. ``names`` gives the constant's name for each parameter."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.names: dict[str, str] = {}
        self.weights = nn.ParameterDict()
        self._fixed: dict[str, Tensor] = {}
        for operator in model.get_ordered_ops():
            name = operator.get_friendly_name()
            if operator.get_type_name() == "Constant":
                self._add_constant(name, torch.from_numpy(np.array(operator.data)))
                continue
            sources = [i.get_source_output() for i in operator.inputs()]
            inputs = [(source.get_node().get_friendly_name(), source.get_index()) for source in sources]
            self.steps.append(Step(operator.get_type_name(), name, inputs, operator.get_attributes()))
        self._in_place: set[str] = set()
        self._fuse()

    def _add_constant(self, name: str, value: Tensor) -> None:
        if value.dtype != torch.float32 or value.numel() == 1:
            self._fixed[name] = value
            return
        key = f"p{len(self.names)}"
        self.names[key] = name
        self.weights[key] = nn.Parameter(value)

    def _fuse(self) -> None:
        """Make one step of the five that are a GELU, and add biases in place: half of the time of a training step."""
        by_name = {step.name: step for step in self.steps}
        users: dict[str, list[str]] = {}
        for step in self.steps:
            for source, _ in step.inputs:
                users.setdefault(source, []).append(step.name)
        fused: dict[str, tuple[str, int]] = {}
        gone: set[str] = set()
        for step in self.steps:
            first = by_name.get(step.inputs[0][0]) if step.inputs else None
            if first is None:
                continue
            if step.kind == "Erf":
                add = users[step.name][0]
                half = users[add][0]
                fused[users[half][0]] = first.inputs[0]
                gone |= {first.name, step.name, add, half}
            elif step.kind == "Add" and "Convolution" in first.kind and len(users[first.name]) == 1:
                self._in_place.add(step.name)
        kept = [step for step in self.steps if step.name not in gone]
        self.steps = [Step("Gelu", step.name, [fused[step.name]], {}) if step.name in fused else step for step in kept]

    def forward(self, planes: Tensor, *, in_bfloat16: bool = False) -> Tensor:
        """Give the logits (lines, steps, alphabet) of planes (lines, 3, 48, width)."""
        kind = torch.bfloat16 if in_bfloat16 else torch.float32
        values: dict[tuple[str, int], Tensor] = {
            (name, 0): value.to(kind) if value.dtype == torch.float32 else value for name, value in self._fixed.items()
        }
        values |= {(name, 0): self.weights[key].to(kind) for key, name in self.names.items()}
        for step in self.steps:
            given = [values[source] for source in step.inputs]
            if step.kind == "Result":
                return given[0]
            if step.kind == "Parameter":
                made = planes.to(kind)
            elif step.name in self._in_place:  # of a fresh product, which nobody else needs
                made = given[0].add_(given[1])
            elif step.kind == "VariadicSplit":
                values |= {(step.name, i): part for i, part in enumerate(_split(given))}
                continue
            else:
                plain = _PLAIN.get(step.kind)
                made = plain(*given) if plain else _WITH_ATTRIBUTES[step.kind](given, step.attributes)
            values[step.name, 0] = made
        raise ValueError("the graph has no result")


def _split(given: list[Tensor]) -> list[Tensor]:
    axis, sizes = int(given[1]), [int(size) for size in given[2]]
    rest = given[0].shape[axis] - sum(size for size in sizes if size >= 0)
    return list(torch.split(given[0], [size if size >= 0 else rest for size in sizes], dim=axis))


def _convolution(given: list[Tensor], attributes: dict[str, Any]) -> Tensor:
    planes, weights = given
    groups = 1
    if weights.dim() == 5:  # group, output, input, height, width
        groups, weights = weights.shape[0], weights.flatten(0, 1)
    if attributes["auto_pad"] == "same_upper":
        high, wide = weights.shape[2:]
        before, after = ((wide - 1) // 2, (high - 1) // 2), (wide // 2, high // 2)
    else:
        (top, left), (bottom, right) = attributes["pads_begin"], attributes["pads_end"]
        before, after = (left, top), (right, bottom)
    padding = (before[1], before[0])
    if before != after:
        planes, padding = F.pad(planes, (before[0], after[0], before[1], after[1])), (0, 0)
    return F.conv2d(planes, weights, stride=tuple(attributes["strides"]), padding=padding, groups=groups)


def _largest(given: list[Tensor], attributes: dict[str, Any]) -> Tensor:
    if attributes["auto_pad"] != "same_upper" or list(attributes["kernel"]) != [2, 2]:
        raise NotImplementedError("only the pooling that PP-OCR's stem has")
    return F.max_pool2d(F.pad(given[0], (0, 1, 0, 1), value=-1e30), 2, attributes["strides"])


def _normalised(given: list[Tensor], attributes: dict[str, Any]) -> Tensor:
    planes, scale, shift, mean, variance = (v if i == 0 else v.view(1, -1, 1, 1) for i, v in enumerate(given))
    # Mean and variance stay as they were counted over PP-OCR's own training.
    return (planes - mean.detach()) * (scale / torch.sqrt(variance.detach() + attributes["epsilon"])) + shift


def _reshaped(values: Tensor, shape: Tensor) -> Tensor:
    sizes = shape.reshape(-1).tolist()
    return values.reshape([values.shape[i] if size == 0 else int(size) for i, size in enumerate(sizes)])


def _sliced(values: Tensor, *bounds: Tensor) -> Tensor:
    result = values
    starts, ends, steps, axes = (bound.reshape(-1).tolist() for bound in bounds)
    for start, end, step, axis in zip(starts, ends, steps, axes, strict=True):
        index = [slice(None)] * result.dim()
        index[int(axis)] = slice(int(start), min(int(end), _NO_BOUND), int(step))
        result = result[tuple(index)]
    return result


def _softmax(given: list[Tensor], attributes: dict[str, Any]) -> Tensor:
    # The last one, over the alphabet, belongs to the loss.
    return given[0] if attributes["axis"] == 2 else torch.softmax(given[0], dim=attributes["axis"])


_PLAIN: Final[dict[str, Callable[..., Tensor]]] = {
    "Identity": lambda a: a,
    "Add": lambda a, b: a + b,
    "Subtract": lambda a, b: a - b,
    "Multiply": lambda a, b: a * b,
    "Divide": lambda a, b: a / b,
    "MatMul": lambda a, b: a @ b,
    "Power": lambda a, exponent: a ** int(exponent),
    "Sqrt": torch.sqrt,
    "Relu": F.relu,
    "Gelu": F.gelu,
    "Sigmoid": torch.sigmoid,
    "HardSigmoid": lambda a, slope, offset: torch.clamp(a * float(slope) + float(offset), 0, 1),
    "Reshape": _reshaped,
    "Slice": _sliced,
    "Transpose": lambda a, axes: a.permute([int(axis) for axis in axes]),
    "Squeeze": lambda a, axis: a.squeeze(int(axis.reshape(-1)[0])),
    "Unsqueeze": lambda a, axis: a.unsqueeze(int(axis.reshape(-1)[0])),
    "ShapeOf": lambda a: torch.tensor(list(a.shape), dtype=torch.int64),
    "Broadcast": lambda a, sizes: a.expand([int(size) for size in sizes]),
}
_WITH_ATTRIBUTES: Final[dict[str, Callable[[list[Tensor], dict[str, Any]], Tensor]]] = {
    "Softmax": _softmax,
    "Convolution": _convolution,
    "GroupConvolution": _convolution,
    "BatchNormInference": _normalised,
    "MaxPool": _largest,
    "AvgPool": lambda g, a: F.avg_pool2d(g[0], a["kernel"], a["strides"]),
    "ReduceMean": lambda g, a: g[0].mean(dim=tuple(g[1].reshape(-1).tolist()), keepdim=a["keep_dims"]),
    "Concat": lambda g, a: torch.cat([part if part.dim() else part[None] for part in g], dim=a["axis"]),
}
