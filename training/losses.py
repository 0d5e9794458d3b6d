"""What training lessens: wrong answers, wrong glyphs in cells; and the picture's tokens that stand in for a tower.

Owns: forward passes with losses. Must not know: optimisers, files.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import places, shape, tokens
from .batches import FIRST_CELL, SLOTS, Batch
from .model import Miniature

_SHARPNESS = 24.0  # of the glyph head: the logits of short vectors, as the embeddings are, should reach far enough
_EMPTY_WEIGHT = 0.15
_STAND_IN_NOISE = 0.02


class Trainee(nn.Module):
    """The miniature with the glyph head, which export leaves out.

    The head turns a token into one vector a slot, compared with the embeddings. Read backwards it makes, from the
    embeddings of a cell's glyphs, a token that stands in for the tower's: the language model can learn alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.model = Miniature(tokens.VOCABULARY_SIZE)
        self.glyph_head = nn.Parameter(torch.randn(SLOTS, shape.HIDDEN, shape.HIDDEN) / math.sqrt(shape.HIDDEN))

    def look(self, batch: Batch, *, blocks: bool = True, taps: bool = True) -> tuple[Tensor, list[Tensor]]:
        """Give the tower's tokens and what its taps add."""
        at = places.picture_places(batch.columns, batch.rows)
        assert batch.patches is not None
        seen: tuple[Tensor, list[Tensor]] = self.model.visual(
            batch.patches, at.indices, at.weights, at.cos, at.sin, blocks=blocks, taps=taps
        )
        return seen

    def stand_in(self, batch: Batch) -> Tensor:
        """Give tokens as a perfect tower would: (rows, cells, hidden)."""
        embedded = self.model.language_model.embed_tokens(batch.cells)
        return torch.einsum("bcsh,sgh->bcg", embedded, self.glyph_head)

    def glyph_logits(self, seen: Tensor) -> Tensor:
        """Give logits of the glyphs in each slot: (rows, cells, slots, vocabulary)."""
        slots = torch.einsum("bcg,sgh->bcsh", seen, self.glyph_head)
        return _SHARPNESS * (slots @ self.model.language_model.embed_tokens.weight.T)

    def glyph_loss(self, seen: Tensor, batch: Batch) -> tuple[Tensor, float]:
        """Give the loss on the glyphs of the cells, and the share of glyphs read right."""
        logits = self.glyph_logits(seen).flatten(0, 2).float()
        held = batch.cells.flatten()
        weights = torch.where(held == tokens.EMPTY, _EMPTY_WEIGHT, 1.0)
        loss = (functional.cross_entropy(logits, held, reduction="none") * weights).sum() / weights.sum()
        written = held != tokens.EMPTY
        right = (logits.argmax(dim=1) == held)[written].float().mean()
        return loss, float(right)

    def closeness_loss(self, seen: Tensor, batch: Batch) -> Tensor:
        """Give how far the tower's tokens point away from the stand-ins."""
        with torch.no_grad():
            wanted = self.stand_in(batch)
        return 1 - functional.cosine_similarity(seen.float(), wanted.float(), dim=-1).mean()

    def answer_logits(self, batch: Batch, seen: Tensor, taps: list[Tensor]) -> Tensor:
        """Give the logits at the places of the answers: (answers, vocabulary)."""
        text = self.model.language_model
        hidden = text.embed_tokens(batch.ids)
        behind = hidden[:, FIRST_CELL + seen.shape[1] :]
        hidden = torch.cat([hidden[:, :FIRST_CELL], seen.to(hidden.dtype), behind], dim=1)
        hidden = text(hidden, batch.mask, batch.cos, batch.sin, taps, FIRST_CELL)
        chosen = hidden[batch.targets[:, 0], batch.targets[:, 1]]
        logits: Tensor = chosen @ text.embed_tokens.weight.T
        return logits.float()

    def answer_loss(self, batch: Batch, seen: Tensor, taps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Give the loss on the answers, and which of their tokens are right."""
        logits = self.answer_logits(batch, seen, taps)
        loss = functional.cross_entropy(logits, batch.answers, reduction="none")
        return (loss * batch.weights).sum() / batch.weights.sum(), logits.argmax(dim=1) == batch.answers

    def picture_loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The tower alone, without its blocks: read the glyphs of the cells."""
        seen, _ = self.look(batch, blocks=False, taps=False)
        loss, right = self.glyph_loss(seen, batch)
        away = self.closeness_loss(seen, batch)
        return loss + 0.5 * away, {"glyph_loss": float(loss.detach()), "glyphs": right, "away": float(away.detach())}

    def language_loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The language model alone, on stand-ins with some noise."""
        seen = self.stand_in(batch)
        seen = seen + _STAND_IN_NOISE * torch.randn_like(seen)
        loss, right = self.answer_loss(batch, seen, [torch.zeros_like(seen)] * len(shape.TAPS))
        return loss, {"stand_in_loss": float(loss.detach()), "stand_in_tokens": float(right.float().mean())}

    def joint_loss(
        self, batch: Batch, glyph_weight: float, *, blocks: bool, yields: bool = False
    ) -> tuple[Tensor, dict[str, float]]:
        """Both together, with the loss on glyphs beside; with ``yields`` they are told by merger and taps together."""
        seen, taps = self.look(batch, blocks=blocks)
        glyph, glyphs = self.glyph_loss(seen + sum(taps) if yields else seen, batch)
        loss, right = self.answer_loss(batch, seen, taps)
        told = {
            "loss": float(loss.detach()),
            "tokens": float(right.float().mean()),
            "glyph_loss": float(glyph.detach()),
            "glyphs": glyphs,
        }
        return loss + glyph_weight * glyph, told
