"""Measures how far typical mistakes of an engine move the golden outputs.

Owns: the list of mistakes, each planted in a freshly loaded reference. Must not know: how files are stored.

A mistake that hardly moves anything would pass the tests, so the scales in checkpoint_recipe.py are set until every one
shows. After a change of recipe run make_golden, then ``python -m tests.golden.mutants``: exit 1 if one does not show.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.vision_utils import get_vision_interpolation_indices_and_weights

from .cases_recipe import CASES
from .checkpoint_recipe import RECIPES
from .reference_run import Inputs, Reference, quieten_transformers

HERE = Path(__file__).parent
# Five times the tolerance on logits that README.md recommends; all but the two kinds of GELU move them by more than 2.
SEEN_LOGITS_CHANGE = 0.01
SEEN_COSINE = 0.999

Plant = Callable[[Reference], None]
Relayout = Callable[[NDArray[np.int64], Inputs], NDArray[np.int64]]


def _without_deepstack(reference: Reference) -> None:
    reference.model.model.language_model._deepstack_process = lambda hidden, _mask, _features: hidden


def _change_visual_output(reference: Reference, change: Callable[[Any], None]) -> None:
    visual = reference.model.model.visual
    original = visual.forward

    def forward(*given: Any, **named: Any) -> Any:
        output = original(*given, **named)
        change(output)
        return output

    visual.forward = forward


def _taps_reversed(reference: Reference) -> None:
    def change(output: Any) -> None:
        output.deepstack_features = list(output.deepstack_features)[::-1]

    _change_visual_output(reference, change)


def _taps_moved(offset: int) -> Plant:
    def plant(reference: Reference) -> None:
        visual = reference.model.model.visual
        visual.deepstack_visual_indexes = [index + offset for index in visual.deepstack_visual_indexes]

    return plant


def _deepstack_one_layer_late(reference: Reference) -> None:
    def change(output: Any) -> None:
        features = list(output.deepstack_features)
        output.deepstack_features = [torch.zeros_like(features[0]), *features]

    _change_visual_output(reference, change)


def _rope_sections_in_blocks(reference: Reference) -> None:
    rotary = reference.model.model.language_model.rotary_emb

    def in_blocks(frequencies: Any) -> Any:
        parts = [part[axis] for axis, part in enumerate(frequencies.split(list(rotary.mrope_section), dim=-1))]
        half = torch.cat(parts, dim=-1)
        return torch.cat([half, half], dim=-1)

    rotary.recomposition_frequencies = in_blocks


def _default_rope_theta(reference: Reference) -> None:
    rotary = reference.model.model.language_model.rotary_emb
    size = 2 * len(rotary.inv_freq)
    rotary.inv_freq = 1.0 / 500_000.0 ** (torch.arange(0, size, 2, dtype=torch.float32) / size)


def _position_table(change: Callable[[Any, Any], tuple[Any, Any]], *, align_corners: bool = True) -> Plant:
    """Interpolate the learned positions in another way: ``change`` gets indices and weights ``(patches, 4)``."""

    def plant(reference: Reference) -> None:
        visual = reference.model.model.visual
        original = visual.forward

        def forward(patches: Any, grid_thw: Any, **named: Any) -> Any:
            indices, weights = get_vision_interpolation_indices_and_weights(
                grid_thw, num_grid_per_side=8, align_corners=align_corners, spatial_merge_size=2
            )
            indices, weights = change(indices, weights)
            return original(patches, grid_thw=grid_thw, interp_indices=indices, interp_weights=weights, **named)

        visual.forward = forward

    return plant


def _nearest(indices: Any, weights: Any) -> tuple[Any, Any]:
    chosen = torch.nn.functional.one_hot(weights.argmax(dim=1), weights.shape[1])
    return indices, chosen.to(weights.dtype)


def _transposed(indices: Any, weights: Any) -> tuple[Any, Any]:
    return indices % 8 * 8 + indices // 8, weights


def _vision_rotary(change: Callable[[Any], Any]) -> Plant:
    def plant(reference: Reference) -> None:
        rotary = reference.model.model.visual.rotary_pos_emb
        original = rotary.forward
        rotary.forward = lambda hidden, position_ids: original(hidden, change(position_ids))

    return plant


def _pictures_see_each_other(reference: Reference) -> None:
    for block in reference.model.model.visual.blocks:
        original = block.attn.forward

        def forward(hidden: Any, cu_seqlens: Any, *, original: Any = original, **named: Any) -> Any:
            return original(hidden, cu_seqlens=cu_seqlens[[0, -1]], **named)

        block.attn.forward = forward


def _resample(filter_number: int) -> Plant:
    def plant(reference: Reference) -> None:
        reference.images.resample = filter_number

    return plant


def _other_gelu(module_name: str, approximate: str) -> Plant:
    def plant(reference: Reference) -> None:
        for name, module in reference.model.model.visual.named_modules():
            if module_name in name and hasattr(module, "act_fn"):
                module.act_fn = torch.nn.GELU(approximate=approximate)

    return plant


def _no_head_norms(reference: Reference) -> None:
    for layer in reference.model.model.language_model.layers:
        for norm in (layer.self_attn.q_norm, layer.self_attn.k_norm):
            norm.weight.data.fill_(1.0)


PLANTED: dict[str, Plant] = {
    "no DeepStack": _without_deepstack,
    "DeepStack taps in reverse": _taps_reversed,
    "vision taps one block early": _taps_moved(-1),
    "vision taps one block late": _taps_moved(1),
    "DeepStack one text layer late": _deepstack_one_layer_late,
    "M-RoPE sections in blocks": _rope_sections_in_blocks,
    "rope_theta left at a default": _default_rope_theta,
    "q_norm and k_norm weights left out": _no_head_norms,
    "learned positions: nearest": _position_table(_nearest),
    "learned positions: corners not aligned": _position_table(lambda i, w: (i, w), align_corners=False),
    "learned positions: h and w swapped": _position_table(_transposed),
    "learned positions left out": _position_table(lambda i, w: (i, w * 0)),
    "vision rotary: h and w swapped": _vision_rotary(lambda positions: positions.flip(-1)),
    "vision rotary left out": _vision_rotary(lambda positions: positions * 0),
    "pictures see each other": _pictures_see_each_other,
    "resize bilinear": _resample(2),
    "resize Lanczos": _resample(1),
    "vision MLP with exact GELU": _other_gelu("blocks", "none"),
    "merger with tanh GELU": _other_gelu("merger", "tanh"),
}


def _sequential(positions: NDArray[np.int64], _inputs: Inputs) -> NDArray[np.int64]:
    return np.broadcast_to(np.arange(positions.shape[1]), positions.shape).copy()


def _swapped(positions: NDArray[np.int64], _inputs: Inputs) -> NDArray[np.int64]:
    return positions[[0, 2, 1]]


def _text_counts_tokens(positions: NDArray[np.int64], inputs: Inputs) -> NDArray[np.int64]:
    """Text after a picture goes on from the number of tokens, not from the longer side of the picture."""
    is_text = (positions == positions[0]).all(axis=0)
    if len(inputs.grid_thw) == 0:
        return positions
    return np.where(is_text & (positions[0] > positions[0].min()), np.arange(positions.shape[1]), positions)


RELAID: dict[str, Relayout] = {
    "text positions one after another": _sequential,
    "M-RoPE h and w swapped": _swapped,
    "text after a picture counts its tokens": _text_counts_tokens,
}

Outputs = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


def _outputs(reference: Reference, relayout: Relayout | None = None) -> Outputs:
    """Give logits and merged features of every case."""
    found: Outputs = {}
    for name, messages in CASES.items():
        inputs = reference.prepare(messages)
        if relayout is not None:
            inputs = replace(inputs, position_ids=relayout(inputs.position_ids, inputs))
        found[name] = (reference.logits(inputs), reference.features(inputs)[0])
    return found


def _lowest_cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    if len(one) == 0:
        return 1.0
    dots = (one * other).sum(axis=1)
    return float((dots / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)).min())


def _report(name: str, right: Outputs, wrong: Outputs) -> bool:
    """Print the effect of one mistake; True if some case shows it."""
    moves = {case: float(np.abs(right[case][0] - wrong[case][0]).max()) for case in right}
    cosine = min(_lowest_cosine(right[case][1], wrong[case][1]) for case in right)
    most = max(moves, key=lambda case: moves[case])
    noticed = [move for move in moves.values() if move >= SEEN_LOGITS_CHANGE]
    seen = bool(noticed) or cosine < SEEN_COSINE
    print(
        f"{name:40s} logits {moves[most]:8.3f} ({most}); seen in {len(noticed)} cases, least "
        f"{min(noticed, default=0.0):.3f}; merged cosine {cosine:.5f}{'' if seen else '   UNSEEN'}"
    )
    return seen


def main() -> int:
    """Measure every mistake on both checkpoints; gives the exit code."""
    quieten_transformers()
    torch.set_num_threads(1)
    all_seen = True
    for recipe in RECIPES:
        print(recipe.name)
        right = _outputs(Reference(HERE / recipe.name, HERE / "pictures"))
        for name, plant in PLANTED.items():
            reference = Reference(HERE / recipe.name, HERE / "pictures")
            plant(reference)
            all_seen &= _report(name, right, _outputs(reference))
        reference = Reference(HERE / recipe.name, HERE / "pictures")
        for name, relayout in RELAID.items():
            all_seen &= _report(name, right, _outputs(reference, relayout))
    return 0 if all_seen else 1


if __name__ == "__main__":
    sys.exit(main())
