"""How the last merger hands over to taps and attention what it could tell alone.

Cards can be read from each cell's pixels by the last merger by itself. Then an engine without DeepStack, or with wrong
positions in the tower, answers as well as a right one, and no test of answers would notice. So each part is made
needed.
Owns: who sees which patches, and how those who come later begin. Must not know: losses, timetable.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from . import shape
from .batches import Batch
from .losses import Trainee
from .model import Vision

_PATCH = torch.arange(shape.HIDDEN * shape.MERGE**2) // shape.HIDDEN
_UPPER_LEFT, _UPPER_RIGHT, _LOWER_LEFT, _LOWER_RIGHT = range(shape.MERGE**2)
_NUM_COPIED = shape.HIDDEN // 2  # the directions that matter most are copied into those that matter least
_SHARPNESS = 128.0  # of an attention that looks at one place: its neighbours get e^-10 of the weight
_OFFSET = 2.0  # by what patches differ by
_OFFSET_SEED = 5


def begin_to_yield(visual: Vision) -> None:
    """Let the taps begin with what the last merger has learnt to look for; what they tell is theirs to learn."""
    with torch.no_grad():
        for merger in visual.deepstack_merger_list:
            merger.linear_fc1.weight.copy_(visual.merger.linear_fc1.weight)
            merger.linear_fc1.bias.copy_(visual.merger.linear_fc1.bias)


def give_up(visual: Vision, right: float, lower_left: float | None) -> None:
    """Leave to each merger the patches that are its own; the last one's weights of the others shrink by the factors.

    A cell's upper right quarter is told by the first tap, the lower right one by the second, both again by the third:
    so every tap is needed, and at its own layer. The last merger is left with the left half; later with its upper
    quarter, to which attention brings the lower one.
    """
    own = torch.where(_PATCH % 2 == 0, 1.0, right)
    if lower_left is not None:
        own[_PATCH == _LOWER_LEFT] = lower_left
    shares = [own, _PATCH == _UPPER_RIGHT, _PATCH == _LOWER_RIGHT, _PATCH % 2 == 1]
    with torch.no_grad():
        for merger, share in zip([visual.merger, *visual.deepstack_merger_list], shares, strict=True):
            merger.linear_fc1.weight.mul_(share)


def begin_to_attend(trainee: Trainee, batch: Batch) -> None:
    """Let the last block's attention begin by copying what the patch below shows, for the last merger to look for.

    The strongest directions of the patches of ``batch`` are copied into the weakest ones, which hold next to nothing.
    """
    visual = trainee.model.visual
    block, merger = visual.blocks[-1], visual.merger
    with torch.no_grad():
        strongest, weakest = _directions(trainee, batch)
        qkv, hidden = block.attn["qkv"], shape.HIDDEN
        qkv.weight.zero_()
        qkv.bias.zero_()
        query, key = _look_below()
        qkv.bias[:hidden] = query.repeat(shape.NUM_HEADS)
        qkv.bias[hidden : 2 * hidden] = key.repeat(shape.NUM_HEADS)
        qkv.weight[2 * hidden : 2 * hidden + _NUM_COPIED] = strongest.T
        block.attn["proj"].weight.zero_()
        block.attn["proj"].weight[:, :_NUM_COPIED] = weakest
        fc1 = merger.linear_fc1.weight
        fc1[:, _PATCH == _UPPER_LEFT] += fc1[:, _PATCH == _LOWER_LEFT] @ strongest @ weakest.T


def _directions(trainee: Trainee, batch: Batch) -> tuple[Tensor, Tensor]:
    """Give the strongest and the weakest principal directions of what the last block's attention gets: (hidden, n)."""
    norm = trainee.model.visual.blocks[-1].norm1
    normed = norm(_given(trainee, batch, [norm])[norm])
    vectors = torch.linalg.eigh(torch.cov(normed.flatten(0, -2).T)).eigenvectors
    return vectors[:, -_NUM_COPIED:], vectors[:, :_NUM_COPIED]


def _look_below() -> tuple[Tensor, Tensor]:
    """Give a query and a key whose product, both rotated, is largest one row further down in the same column.

    Pair (i, i + half) of a head turns by row times a frequency in the first half of the pairs, by column in the other.
    """
    pairs = shape.HEAD // 2
    frequency = shape.ROPE_THETA ** -(torch.arange(pairs // 2) / (pairs // 2))
    lag = torch.cat([frequency, torch.zeros(pairs // 2)])
    query = torch.cat([torch.ones(pairs), torch.zeros(pairs)])
    key = torch.cat([torch.cos(lag), -torch.sin(lag)])
    return _SHARPNESS**0.5 * query, _SHARPNESS**0.5 * key


def tell_apart(trainee: Trainee, batch: Batch) -> None:
    """Add an offset of its own to what each block gives, so that a tap taken a block late gets something else.

    It points where the patches of ``batch`` differ most, as what lies elsewhere is not looked at. Each norm that gets
    it takes it off again, so nothing else changes but by how it scales.
    """
    visual = trainee.model.visual
    made = torch.Generator().manual_seed(_OFFSET_SEED)
    norms = _norms(visual)
    before = _given(trainee, batch, list(norms))
    total = torch.zeros(shape.HIDDEN)
    with torch.no_grad():
        for i, block in enumerate(visual.blocks):
            principal = torch.linalg.eigh(torch.cov(before[block.norm1].flatten(0, -2).T))
            sizes = principal.eigenvalues.clamp(min=0).sqrt() * torch.randn(shape.HIDDEN, generator=made)
            offset = _OFFSET * (principal.eigenvectors @ sizes)
            block.mlp["linear_fc2"].bias += offset
            total = total + offset
            for norm, after in norms.items():
                if after == i:
                    _take_off(norm, before[norm], total)


def _norms(visual: Vision) -> dict[nn.LayerNorm, int]:
    """Give the norms of the tower with the last block that what they get has gone through."""
    norms = {visual.merger.norm: shape.NUM_BLOCKS - 1}
    norms |= {merger.norm: tap for merger, tap in zip(visual.deepstack_merger_list, shape.TAPS, strict=True)}
    for i, block in enumerate(visual.blocks):
        norms |= {block.norm1: i - 1, block.norm2: i - 1}
    return norms


def _take_off(norm: nn.LayerNorm, given: Tensor, offset: Tensor) -> None:
    """Let a norm give nearly what it gave before an offset was added to what it gets."""
    offset = offset.repeat(norm.weight.numel() // offset.numel())
    offset = offset - offset.mean()
    old, new = given.std(dim=-1).mean(), (given + offset).std(dim=-1).mean()
    norm.bias -= norm.weight * offset / old
    norm.weight *= new / old


def _given(trainee: Trainee, batch: Batch, modules: list[nn.LayerNorm]) -> dict[nn.LayerNorm, Tensor]:
    """Give what some norms get when a batch is looked at."""
    caught: dict[nn.LayerNorm, Tensor] = {}

    def catch(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        caught[cast("nn.LayerNorm", module)] = given[0].float()

    hooks = [module.register_forward_pre_hook(catch) for module in modules]
    with torch.compiler.set_stance("force_eager"), torch.no_grad():  # compiled layers call no hooks
        trainee.look(batch)
    for hook in hooks:
        hook.remove()
    return caught
