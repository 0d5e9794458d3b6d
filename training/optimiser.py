"""Steps of training: Muon for the matrices of the blocks, AdamW for the rest.

Owns: which weight goes where, and the update. Must not know: losses, data.

torch.optim.Muon walks from matrix to matrix; here those of one shape go through one batched product, a quarter of the
time on this size. Muon: Keller Jordan and others, 2024, kellerjordan.github.io/posts/muon; the size of its steps is
matched to AdamW's as in "Muon is Scalable for LLM Training" (arXiv 2502.16982).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_DECAY = 0.02
_NUM_ROUNDS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_MATCHED = 0.2
_CLIP = 1.0


def orthogonal(stack: Tensor) -> Tensor:
    """Bring the singular values of each matrix (count, rows, columns) near one, by Newton and Schulz."""
    a, b, c = _COEFFICIENTS
    work = stack.bfloat16()
    is_tall = work.shape[1] > work.shape[2]
    if is_tall:
        work = work.mT
    work = work / (work.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(_NUM_ROUNDS):
        square = work @ work.mT
        work = a * work + (b * square + c * square @ square) @ work
    return (work.mT if is_tall else work).float()


class Optimiser:
    """Both kinds of step, with one learning rate each."""

    def __init__(self, model: nn.Module) -> None:
        named = list(model.named_parameters())
        in_blocks = [
            weight for name, weight in named if weight.ndim == 2 and (".layers." in name or ".blocks." in name)
        ]
        chosen = set(map(id, in_blocks))
        self.stacks = [
            [weight for weight in in_blocks if weight.shape == size] for size in sorted({w.shape for w in in_blocks})
        ]
        self.momenta = [torch.zeros(len(stack), *stack[0].shape) for stack in self.stacks]
        others = [weight for _, weight in named if id(weight) not in chosen]
        self.parameters = [weight for _, weight in named]
        groups = [
            {"params": [weight for weight in others if weight.ndim >= 2], "weight_decay": _DECAY},
            {"params": [weight for weight in others if weight.ndim < 2], "weight_decay": 0.0},
        ]
        self.adam = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-8, fused=True)

    def step(self, adam_rate: float, muon_rate: float) -> float:
        """Make one step from the gradients, clear them, and give their norm before clipping.

        A weight without a gradient in this step keeps its value.
        """
        norm = float(nn.utils.clip_grad_norm_(self.parameters, _CLIP))
        for group in self.adam.param_groups:
            group["lr"] = adam_rate
        self.adam.step()
        with torch.no_grad():
            for stack, momentum in zip(self.stacks, self.momenta, strict=True):
                used = [i for i, weight in enumerate(stack) if weight.grad is not None]
                if used:
                    self._turn([stack[i] for i in used], momentum, used, muon_rate)
        for weight in self.parameters:
            weight.grad = None
        return norm

    def _turn(self, stack: list[nn.Parameter], momentum: Tensor, used: list[int], rate: float) -> None:
        gradients = torch.stack([weight.grad for weight in stack if weight.grad is not None])
        kept = momentum[used].lerp_(gradients, 1 - _MOMENTUM)
        momentum[used] = kept
        update = orthogonal(gradients.lerp(kept, _MOMENTUM))
        scale = _MATCHED * math.sqrt(max(update.shape[1:]))
        for weight, change in zip(stack, update, strict=True):
            weight.mul_(1 - rate * _DECAY).add_(change, alpha=-rate * scale)

    def state(self) -> dict[str, Any]:
        """Give what a run needs to go on."""
        return {"adam": self.adam.state_dict(), "momenta": self.momenta}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a saved state."""
        self.adam.load_state_dict(state["adam"])
        self.momenta = state["momenta"]
