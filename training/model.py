"""The architecture in plain torch, for batches of pictures of one size: what transformers computes, but faster.

Owns: the modules, named as in a checkpoint. Must not know: cards, losses, files.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import shape


class VisionBlock(nn.Module):
    """One block of the tower: attention over a whole picture, then an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.HIDDEN, eps=shape.NORM_EPSILON)
        self.norm2 = nn.LayerNorm(shape.HIDDEN, eps=shape.NORM_EPSILON)
        self.attn = nn.ModuleDict(
            {"qkv": nn.Linear(shape.HIDDEN, 3 * shape.HIDDEN), "proj": nn.Linear(shape.HIDDEN, shape.HIDDEN)}
        )
        self.mlp = nn.ModuleDict(
            {"linear_fc1": nn.Linear(shape.HIDDEN, shape.INNER), "linear_fc2": nn.Linear(shape.INNER, shape.HIDDEN)}
        )

    def forward(self, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """``hidden`` is (pictures, patches, hidden); ``cos`` and ``sin`` (patches, head)."""
        batch, length, _ = hidden.shape
        qkv = self.attn["qkv"](self.norm1(hidden)).view(batch, length, 3, shape.NUM_HEADS, shape.HEAD)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v)
        hidden = hidden + self.attn["proj"](mixed.transpose(1, 2).reshape(batch, length, -1))
        inner = functional.gelu(self.mlp["linear_fc1"](self.norm2(hidden)), approximate="tanh")
        return hidden + self.mlp["linear_fc2"](inner)


class Merger(nn.Module):
    """Four patches become one token. The taps' mergers norm the four together, the last one each patch by itself."""

    def __init__(self, *, is_tap: bool) -> None:
        super().__init__()
        self.is_tap = is_tap
        joined = shape.HIDDEN * shape.MERGE**2
        self.norm = nn.LayerNorm(joined if is_tap else shape.HIDDEN, eps=shape.NORM_EPSILON)
        self.linear_fc1 = nn.Linear(joined, joined)
        self.linear_fc2 = nn.Linear(joined, shape.HIDDEN)

    def forward(self, hidden: Tensor) -> Tensor:
        """(pictures, patches, hidden) to (pictures, tokens, hidden)."""
        batch, length, _ = hidden.shape
        joined = (batch, length // shape.MERGE**2, -1)
        hidden = self.norm(hidden.view(joined)) if self.is_tap else self.norm(hidden).view(joined)
        result: Tensor = self.linear_fc2(functional.gelu(self.linear_fc1(hidden)))
        return result


class Vision(nn.Module):
    """The tower: patches to tokens, and what the taps add to the first text layers."""

    def __init__(self) -> None:
        super().__init__()
        # Both frames of a still picture are equal, so one matrix does; export splits it.
        self.patch = nn.Linear(shape.PATCH_VALUES, shape.HIDDEN)
        self.pos_embed = nn.Embedding(shape.POSITIONS_SIDE**2, shape.HIDDEN)
        self.blocks = nn.ModuleList(VisionBlock() for _ in range(shape.NUM_BLOCKS))
        self.merger = Merger(is_tap=False)
        self.deepstack_merger_list = nn.ModuleList(Merger(is_tap=True) for _ in shape.TAPS)

    def forward(
        self,
        patches: Tensor,
        indices: Tensor,
        weights: Tensor,
        cos: Tensor,
        sin: Tensor,
        *,
        blocks: bool = True,
        taps: bool = True,
    ) -> tuple[Tensor, list[Tensor]]:
        """``patches`` is (pictures, patches, values); ``indices``, ``weights`` (patches, 4) interpolate the positions.

        Without ``blocks`` it is as if they changed nothing, which is so until they are trained; without ``taps`` none
        is computed.
        """
        positions = (self.pos_embed(indices) * weights[..., None]).sum(dim=1)
        hidden = self.patch(patches) + positions
        features = []
        for i, block in enumerate(self.blocks):
            hidden = block(hidden, cos, sin) if blocks else hidden
            if taps and i in shape.TAPS:
                features.append(self.deepstack_merger_list[shape.TAPS.index(i)](hidden))
        return self.merger(hidden), features


class TextLayer(nn.Module):
    """One text layer: grouped-query attention with norms on each head, then a gated MLP."""

    def __init__(self) -> None:
        super().__init__()
        wide, narrow = shape.NUM_HEADS * shape.HEAD, shape.NUM_KV_HEADS * shape.HEAD
        self.input_layernorm = norm(shape.HIDDEN)
        self.post_attention_layernorm = norm(shape.HIDDEN)
        self.self_attn = nn.ModuleDict(
            {
                "q_proj": nn.Linear(shape.HIDDEN, wide, bias=False),
                "k_proj": nn.Linear(shape.HIDDEN, narrow, bias=False),
                "v_proj": nn.Linear(shape.HIDDEN, narrow, bias=False),
                "o_proj": nn.Linear(wide, shape.HIDDEN, bias=False),
                "q_norm": norm(shape.HEAD),
                "k_norm": norm(shape.HEAD),
            }
        )
        self.mlp = nn.ModuleDict(
            {
                "gate_proj": nn.Linear(shape.HIDDEN, shape.INNER, bias=False),
                "up_proj": nn.Linear(shape.HIDDEN, shape.INNER, bias=False),
                "down_proj": nn.Linear(shape.INNER, shape.HIDDEN, bias=False),
            }
        )

    def forward(self, hidden: Tensor, mask: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """``hidden`` is (rows, tokens, hidden), ``mask`` (rows, 1, tokens, tokens), angles (rows, 1, tokens, head)."""
        batch, length, _ = hidden.shape
        normed, attn = self.input_layernorm(hidden), self.self_attn
        q = attn["q_norm"](attn["q_proj"](normed).view(batch, length, -1, shape.HEAD)).transpose(1, 2)
        k = attn["k_norm"](attn["k_proj"](normed).view(batch, length, -1, shape.HEAD)).transpose(1, 2)
        v = attn["v_proj"](normed).view(batch, length, -1, shape.HEAD).transpose(1, 2)
        times = shape.NUM_HEADS // shape.NUM_KV_HEADS
        k = rotate(k, cos, sin).repeat_interleave(times, dim=1)
        mixed = functional.scaled_dot_product_attention(
            rotate(q, cos, sin), k, v.repeat_interleave(times, dim=1), attn_mask=mask
        )
        hidden = hidden + attn["o_proj"](mixed.transpose(1, 2).reshape(batch, length, -1))
        normed, mlp = self.post_attention_layernorm(hidden), self.mlp
        return hidden + mlp["down_proj"](functional.silu(mlp["gate_proj"](normed)) * mlp["up_proj"](normed))


class Text(nn.Module):
    """The language model; the head is the embedding."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary_size, shape.HIDDEN)
        self.layers = nn.ModuleList(TextLayer() for _ in range(shape.NUM_LAYERS))
        self.norm = norm(shape.HIDDEN)

    def forward(self, hidden: Tensor, mask: Tensor, cos: Tensor, sin: Tensor, taps: list[Tensor], first: int) -> Tensor:
        """Give the normed output; ``taps`` are added at the picture's tokens, from ``first`` on, after a layer each."""
        for i, layer in enumerate(self.layers):
            hidden = layer(hidden, mask, cos, sin)
            if i < len(taps):
                num_tokens = taps[i].shape[1]
                before, seen, after = hidden.split([first, num_tokens, hidden.shape[1] - first - num_tokens], dim=1)
                hidden = torch.cat([before, seen + taps[i], after], dim=1)
        return self.norm(hidden)


class Miniature(nn.Module):
    """Tower and language model."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.visual = Vision()
        self.language_model = Text(vocabulary_size)
        self.apply(_start)
        for merger in self.visual.deepstack_merger_list:  # the taps add nothing until they have learnt to
            nn.init.zeros_(merger.linear_fc2.weight)
        for block in self.visual.blocks:  # nor the blocks, so that the tower may begin without them
            nn.init.zeros_(block.attn["proj"].weight)
            nn.init.zeros_(block.mlp["linear_fc2"].weight)


def norm(size: int) -> nn.RMSNorm:
    """An RMS norm as Qwen3 has it."""
    return nn.RMSNorm(size, eps=shape.NORM_EPSILON)


def rotate(hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate pairs (i, i + half) of the last axis."""
    one, other = hidden.chunk(2, dim=-1)
    return hidden * cos + torch.cat((-other, one), dim=-1) * sin


def _start(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=1 / math.sqrt(module.in_features) * 0.7)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.04)
