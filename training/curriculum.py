"""What is learnt at which step, and how fast.

Owns: the timetable, counted in steps so that a run can be repeated. Must not know: models, files.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from . import batches, cards, questions

APART_STEPS = 800  # tower and language model learn apart, by turns
TINY_UNTIL, SMALL_UNTIL = 160, 320
ANSWER_TOKENS = 192
ADAM_RATE, MUON_RATE = 1.5e-3, 3e-3
WARM_STEPS = 40
DECAY_FROM, LAST_STEP = 3000, 4000
BATCH = 16


@dataclass(frozen=True)
class Lesson:
    """What one step trains: ``picture``, ``language`` or ``joint``."""

    kind: str
    batch: batches.Batch
    glyph_weight: float = 0.3


def rates(step: int) -> tuple[float, float]:
    """Give the learning rates of AdamW and Muon: up, level, and down to nothing in a straight line."""
    share = min(1.0, (step + 1) / WARM_STEPS)
    if step >= DECAY_FROM:
        share *= max(0.02, (LAST_STEP - step) / (LAST_STEP - DECAY_FROM))
    return ADAM_RATE * share, MUON_RATE * share


def lesson(step: int, rng: Random) -> Lesson:
    """Give the cards and questions of a step; ``rng`` belongs to the step."""
    style = cards.TRAINED
    if step >= APART_STEPS:
        shape = rng.choice(style.shapes)
        made = [cards.draw_card(rng, style, shape=shape, is_random=rng.random() < 0.2) for _ in range(BATCH)]
        asked = [questions.some(card, rng) for card in made]
        return Lesson("joint", batches.batch(made, asked, ANSWER_TOKENS))
    if step % 2 == 0:
        shape = rng.choice(style.shapes)
        # Pictures full of glyphs teach reading faster than cards do.
        made = [cards.draw_card(rng, style, shape=shape, is_dense=rng.random() < 0.8) for _ in range(BATCH)]
        return Lesson("picture", batches.batch(made, [[] for _ in made], 0))
    return Lesson("language", _stand_ins(step, rng))


def _stand_ins(step: int, rng: Random) -> batches.Batch:
    """Cards that are never drawn: first a row of a few cells, then a few rows, then whole cards."""
    style = cards.TRAINED
    if step < TINY_UNTIL:
        shape, budget, count, random_share = (rng.randint(3, 6), 1), 96, 3 * BATCH, 1.0
    elif step < SMALL_UNTIL:
        shape, budget, count, random_share = (rng.randint(4, 7), rng.randint(2, 3)), 128, 2 * BATCH, 0.8
    else:
        shape, budget, count, random_share = rng.choice(style.shapes), ANSWER_TOKENS, BATCH, 0.3
    made = [
        cards.draw_card(rng, style, shape=shape, is_random=rng.random() < random_share, is_painted=False)
        for _ in range(count)
    ]
    asked = [batches.without_colour(questions.some(card, rng)) for card in made]
    return batches.batch(made, asked, budget, with_pictures=False)
