"""``python -m training.run``: trains the miniature, or goes on where an earlier run was stopped.

Owns: the loop, its files (``state.pt``, ``log.jsonl``), seeds. Must not know: how a loss is made.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import torch

from . import batches, cards, curriculum, handover, questions, start
from .losses import Trainee
from .optimiser import Optimiser

_LOG_EVERY, _SAVE_EVERY, _VALIDATE_EVERY = 10, 25, 100
_VALIDATION_SEED = 700_000_007
_NUM_VALIDATION_BATCHES = 4
_ROUND_S, _PAUSE_S = 200.0, 1.5


class Turns:
    """Holds a shared lock for rounds of a few minutes, so that a measurement can have the machine to itself between."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.descriptor, self.since = path, -1, 0.0

    def take(self) -> None:
        """Go on, or first let others have their turn."""
        if self.path is None or (self.descriptor >= 0 and time.monotonic() - self.since < _ROUND_S):
            return
        if self.descriptor >= 0:
            os.close(self.descriptor)
            time.sleep(_PAUSE_S)
        self.descriptor = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self.descriptor, fcntl.LOCK_SH)
        self.since = time.monotonic()


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Train the miniature.")
    parser.add_argument("folder", type=Path, help="where the state and the log are kept")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--until", type=int, default=curriculum.LAST_STEP, help="stop after this step")
    parser.add_argument("--lock", type=Path, help="hold this file's shared lock, in rounds, while training")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    torch.manual_seed(given.seed)
    # Sizes that happen to be equal in the first batch are not equal in all.
    torch.fx.experimental._config.use_duck_shape = False
    trainee = Trainee()
    with torch.no_grad():
        trainee.model.visual.patch.weight.copy_(start.filters(given.seed))
    optimiser = Optimiser(trainee)
    step, seconds = _resume(given.folder, trainee, optimiser)
    _compile(trainee)
    turns = Turns(given.lock)
    with _log(given.folder) as tell:
        tell({"step": step, "event": "start", "seed": given.seed, "seconds": round(seconds)})
        _train(trainee, optimiser, given, turns, (step, seconds), tell)
    return 0


def _train(
    trainee: Trainee, optimiser: Optimiser, given: Any, turns: Turns, begun: tuple[int, float], tell: Any
) -> None:
    step, seconds = begun
    sums: dict[str, list[float]] = {}
    while step < given.until:
        turns.take()
        before, worked = time.monotonic(), time.process_time()
        told = _step(trainee, optimiser, step, given.seed)
        seconds += time.monotonic() - before
        told["wall_s"], told["cpu_s"] = time.monotonic() - before, time.process_time() - worked
        for name, value in told.items():
            sums.setdefault(name, []).append(value)
        step += 1
        if step % _LOG_EVERY == 0:
            means = {name: round(sum(values) / len(values), 4) for name, values in sums.items()}
            tell({"step": step, "seconds": round(seconds), **means})
            sums = {}
        if step % _VALIDATE_EVERY == 0 and step > curriculum.APART_STEPS:
            tell({"step": step, "seconds": round(seconds), "validation": validate(trainee)})
        if step % _SAVE_EVERY == 0 or step == given.until:
            _save(given.folder, trainee, optimiser, (step, seconds))


def _step(trainee: Trainee, optimiser: Optimiser, step: int, seed: int) -> dict[str, float]:
    """Learn one lesson; its cards and noise depend on the seed and the step alone."""
    torch.manual_seed(seed * 1_000_003 + step)
    begun = time.process_time()
    lesson = curriculum.lesson(step, Random(seed * 1_000_003 + step))
    drawn = time.process_time()
    factor = curriculum.yield_factor(step)
    if step == curriculum.YIELD_FROM:
        handover.begin_to_yield(trainee.model.visual)
    if step == curriculum.ATTEND_FROM:
        handover.begin_to_attend(trainee, lesson.batch)
        handover.tell_apart(trainee, lesson.batch)
    with torch.autocast("cpu", torch.bfloat16):
        if lesson.kind == "picture":
            loss, told = trainee.picture_loss(lesson.batch)
        elif lesson.kind == "language":
            loss, told = trainee.language_loss(lesson.batch)
        else:
            loss, told = trainee.joint_loss(
                lesson.batch, lesson.glyph_weight, blocks=lesson.blocks, yields=factor is not None
            )
    loss.backward()
    learnt = time.process_time()
    told["gradient_norm"] = optimiser.step(*curriculum.rates(step))
    if factor is not None:
        handover.give_up(trainee.model.visual, factor, curriculum.attend_factor(step))
    told |= {"draw_cpu_s": drawn - begun, "optimiser_cpu_s": time.process_time() - learnt}
    return told


def validate(trainee: Trainee) -> dict[str, float]:
    """Give the share of questions on held-out cards whose greedy answer is right, by kind.

    Each token is predicted after the right ones before it: if all are right, so is the greedy answer, and else it is
    not. So this is exact.
    """
    rng = Random(_VALIDATION_SEED)
    right: dict[str, list[bool]] = {}
    for _ in range(_NUM_VALIDATION_BATCHES):
        shape = rng.choice(cards.HELD_OUT.shapes)
        made = [cards.draw_card(rng, cards.HELD_OUT, shape=shape) for _ in range(curriculum.BATCH)]
        asked = [[questions.about(card, "transcribe", rng), *questions.some(card, rng)] for card in made]
        batch = batches.batch(made, asked, curriculum.ANSWER_TOKENS + 64)
        # Compiling all once more without gradients would take longer than it saves.
        eager = torch.compiler.set_stance("force_eager")
        with eager, torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            hits = trainee.answer_loss(batch, *trainee.look(batch))[1]
        for number, one in enumerate(batch.asked):
            kind = "absent" if one.is_absent else one.kind
            right.setdefault(kind, []).append(bool(hits[batch.asked_of == number].all()))
    return {kind: round(sum(found) / len(found), 3) for kind, found in sorted(right.items())}


def _compile(trainee: Trainee) -> None:
    """Compile the layers, one graph for all of them: three to five times faster on a busy machine."""
    for block in [*trainee.model.visual.blocks, *trainee.model.language_model.layers]:
        block.compile(dynamic=True)


def _resume(folder: Path, trainee: Trainee, optimiser: Optimiser) -> tuple[int, float]:
    path = folder / "state.pt"
    if not path.is_file():
        return 0, 0.0
    state = torch.load(path, weights_only=True)
    trainee.load_state_dict(state["trainee"])
    optimiser.load(state["optimiser"])
    return int(state["step"]), float(state["seconds"])


def _save(folder: Path, trainee: Trainee, optimiser: Optimiser, at: tuple[int, float]) -> None:
    """Write the state beside and move it in place, so that a run killed meanwhile can still go on."""
    partial = folder / "state.partial"
    state = {"trainee": trainee.state_dict(), "optimiser": optimiser.state(), "step": at[0], "seconds": at[1]}
    torch.save(state, partial)
    partial.replace(folder / "state.pt")


@contextmanager
def _log(folder: Path) -> Iterator[Any]:
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:

        def tell(record: dict[str, Any]) -> None:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
            print(json.dumps(record, ensure_ascii=False), flush=True)

        yield tell


if __name__ == "__main__":
    raise SystemExit(main())
