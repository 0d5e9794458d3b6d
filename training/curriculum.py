"""What is learnt at which step, and how fast.

Owns: the timetable, counted in steps so that a run can be repeated. Must not know: models, files.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from . import batches, cards, questions

APART_STEPS = 600  # tower and language model learn apart, by turns
BLOCKS_FROM = 1200  # the tower's blocks come in; they take most of a step's time
ALTERNATE_FROM, ALTERNATE_UNTIL = 650, 1000  # stand-ins again, every other step: the language model lags behind
MORE_LANGUAGE_FROM = 250  # the tower reads by then
HAN_UNTIL, TINY_UNTIL, SMALL_UNTIL = 100, 200, 300  # stand-ins: whole cells alone, then rows, then small cards
# Rows are set tightly at first, as in print, and begin anywhere; both took too long to learn.
TIGHT_UNTIL, SCATTERED_UNTIL, VARIED_UNTIL = 200, 250, 400
ANSWER_TOKENS = 176
ADAM_RATE, MUON_RATE = 1.5e-3, 3e-3
WARM_STEPS = 40
FIRST_DECAY, LATER_SHARE = (450, 650, 900), 0.6
DECAY_FROM, DECAY_UNTIL = 1300, 2000
# The last merger alone learnt to tell all; now it loses sight of the right half of each cell, which is for the taps.
YIELD_FROM, YIELD_UNTIL, YIELD_END = 2000, 2100, 3000
SECOND_DECAY = (2250, 2400)  # 400 steps were planned for it at first, and 250 of them done
# Then the lower left quarter too, which attention in the last block has to bring to the upper left one.
ATTEND_FROM, ATTEND_UNTIL, LAST_STEP = 3000, 3100, 3350
ATTEND_SHARE = 0.6
BATCH, LANGUAGE_BATCH, JOINT_BATCH = 16, 10, 12


@dataclass(frozen=True)
class Lesson:
    """What one step trains: ``picture``, ``language`` or ``joint``."""

    kind: str
    batch: batches.Batch
    glyph_weight: float = 0.3
    blocks: bool = False


def rates(step: int) -> tuple[float, float]:
    """Give the learning rates of AdamW and Muon: up, level, and down to nothing in a straight line."""
    share = min(1.0, (step + 1) / WARM_STEPS)
    if FIRST_DECAY[0] <= step < FIRST_DECAY[1]:  # where the first plan would have ended the run
        share *= (FIRST_DECAY[2] - step) / (FIRST_DECAY[2] - FIRST_DECAY[0])
    elif step >= FIRST_DECAY[1]:
        share *= LATER_SHARE
    if step >= ATTEND_FROM:
        share *= ATTEND_SHARE * max(0.02, (LAST_STEP - step) / (LAST_STEP - ATTEND_FROM))
    elif step >= YIELD_FROM:
        until = SECOND_DECAY[1] if step < SECOND_DECAY[0] else YIELD_END
        share *= max(0.02, (until - step) / (until - YIELD_FROM))
    elif step >= DECAY_FROM:
        share *= max(0.02, (DECAY_UNTIL - step) / (DECAY_UNTIL - DECAY_FROM))
    return ADAM_RATE * share, MUON_RATE * share


def yield_factor(step: int) -> float | None:
    """Give what the weights of the right half, which the last merger gives up, are multiplied by after a step.

    Their product falls in a straight line from one to nothing. ``None`` before that begins.
    """
    return _fading(step, YIELD_FROM, YIELD_UNTIL)


def attend_factor(step: int) -> float | None:
    """Give the same of the lower left quarter."""
    return _fading(step, ATTEND_FROM, ATTEND_UNTIL)


def _fading(step: int, first: int, until: int) -> float | None:
    if step < first:
        return None
    left = until - step
    return max(0.0, (left - 1) / left) if left > 0 else 0.0


def style_of(step: int) -> cards.Style:
    """Give how cards look at a step."""
    if step < TIGHT_UNTIL:
        return cards.TIGHT
    if step < SCATTERED_UNTIL:
        return cards.SCATTERED
    return cards.VARIED if step < VARIED_UNTIL else cards.TRAINED


def lesson(step: int, rng: Random) -> Lesson:
    """Give the cards and questions of a step; ``rng`` belongs to the step."""
    style = style_of(step)
    is_turn_of_language = ALTERNATE_FROM <= step < ALTERNATE_UNTIL and step % 2 == 1
    if step >= APART_STEPS and not is_turn_of_language:
        shape = rng.choice(style.shapes)
        made = [cards.draw_card(rng, style, shape=shape, is_random=rng.random() < 0.2) for _ in range(JOINT_BATCH)]
        asked = [questions.some(card, rng) for card in made]
        return Lesson("joint", batches.batch(made, asked, ANSWER_TOKENS), blocks=step >= BLOCKS_FROM)
    if step < APART_STEPS and step % (2 if step < MORE_LANGUAGE_FROM else 4) == 0:
        shape = rng.choice(style.shapes)
        # Pictures full of glyphs teach reading faster than cards do.
        is_dense = step < TIGHT_UNTIL or rng.random() < 0.8
        made = [cards.draw_card(rng, style, shape=shape, is_dense=is_dense, is_han=is_dense) for _ in range(BATCH)]
        return Lesson("picture", batches.batch(made, [[] for _ in made], 0))
    return Lesson("language", _stand_ins(step, rng))


def _stand_ins(step: int, rng: Random) -> batches.Batch:
    """Cards that are never drawn: first a row of a few cells, then a few rows, then whole cards."""
    style = style_of(step)
    if step < TINY_UNTIL:
        shape, budget, count, random_share = (rng.randint(3, 6), 1), 96, 2 * BATCH, 1.0
    elif step < SMALL_UNTIL:
        shape, budget, count, random_share = (rng.randint(4, 7), rng.randint(2, 3)), 128, 3 * BATCH // 2, 0.8
    else:
        shape, budget, count, random_share = rng.choice(style.shapes), ANSWER_TOKENS, LANGUAGE_BATCH, 0.3
    made = [
        cards.draw_card(
            rng, style, shape=shape, is_random=rng.random() < random_share, is_painted=False, is_han=step < HAN_UNTIL
        )
        for _ in range(count)
    ]
    asked = [batches.without_colour(questions.some(card, rng)) for card in made]
    return batches.batch(made, asked, budget, with_pictures=False)
