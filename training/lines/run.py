"""``python -m training.lines.run FILE``: trains the recogniser further on worn lines and writes the weights it changed.

Owns: the loop, the loss, the timetable, the file. Must not know: how lines are drawn, what is measured.

CTC (Graves et al. 2006) over the bundled alphabet, and at each step what the bundled weights say of the same line
before it was worn. The last matrix, which names the characters, stays as it is, so that a character which is never
drawn here keeps its place. Two cycles of a falling rate (Loshchilov and Hutter 2017), the second from what the first
one saved. An hour and a half on 2 cores.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import math
import multiprocessing
import random
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import openvino
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor

from kandong.reading.recogniser import LINE_HEIGHT_PX, alphabet_of, padded_width, planes_of

from .graph import Graph
from .wear import Crop, crops_of
from .weights import weights_model


class Cycle(NamedTuple):
    """So many steps at a rate that falls from ``rate`` to nothing, on sheets from ``first_seed`` on."""

    number: int
    num_steps: int
    rate: float
    first_seed: int


CYCLES = (Cycle(1, 1500, 3e-4, 1_000_000), Cycle(2, 1200, 2e-4, 11_000_000))
_NUM_WARMUP_STEPS = 50
_SHEETS_A_SHARD, _SHEETS_A_TASK = 400, 20
_BATCH_WIDTH_PX = 12_800  # of all lines of a batch together, padding included
_STEP_PX = 8  # the recogniser says one thing for so many pixels
_LONGEST_MEAN = 0.99  # of the running mean of the weights, which is what is kept
_LOG_EVERY, _SAVE_EVERY = 25, 200
_BLANK_WEIGHT = 0.3  # most steps are blank
_MAX_DIFFERENCE = 1e-3


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Train the recogniser further on worn lines.")
    parser.add_argument("file", type=Path, help="where the changed weights are written (safetensors)")
    parser.add_argument("--go-on", action="store_true", help="keep what the first cycle wrote there, do the others")
    parser.add_argument("--steps", type=int, help="for a try: so many steps of each cycle")
    given = parser.parse_args()
    # Forked before torch has threads.
    with multiprocessing.get_context("fork").Pool(2) as pool:
        torch.set_num_threads(2)
        model = weights_model()
        student = Graph(model)
        check_twin(student, model)
        teacher = copy.deepcopy(student).requires_grad_(False)
        given.file.parent.mkdir(parents=True, exist_ok=True)
        with given.file.with_suffix(".log.jsonl").open("a" if given.go_on else "w", encoding="utf-8") as log:
            for planned in CYCLES[1:] if given.go_on else CYCLES:
                cycle = planned._replace(num_steps=given.steps or planned.num_steps)
                if cycle.number > 1:
                    put_saved(student, given.file)
                random.seed(cycle.number - 1)
                batches = _batches(pool, cycle.first_seed)
                for mean in train(student, teacher, alphabet_of(model), batches, cycle, log):
                    save_file({student.names[key]: v.numpy().astype(np.float16) for key, v in mean.items()}, given.file)
    return 0


def put_saved(graph: Graph, file: Path) -> None:
    """Put the weights of a file, as a cycle saved them, into the graph."""
    saved = load_file(file)
    with torch.no_grad():
        for key, name in graph.names.items():
            if name in saved:
                graph.weights[key].copy_(torch.from_numpy(saved[name].astype(np.float32)))


def check_twin(graph: Graph, model: Any) -> None:
    """Compare the graph in torch with OpenVINO's own. Errors: ``SystemExit`` if they differ."""
    planes = np.random.default_rng(0).uniform(-1, 1, (2, 3, LINE_HEIGHT_PX, 320)).astype(np.float32)
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    with torch.no_grad():
        difference = float(np.abs(graph(torch.from_numpy(planes)).softmax(-1).numpy() - compiled([planes])[0]).max())
    if difference > _MAX_DIFFERENCE:
        raise SystemExit(f"The graph in torch differs from OpenVINO's by {difference:.2g} in a probability.")


def train(
    student: Graph, teacher: Graph, alphabet: list[str], batches: Iterator[list[Crop]], cycle: Cycle, log: Any
) -> Iterator[dict[str, Tensor]]:
    """Train for a cycle; gives now and then, and at last, the running mean of the trained weights by name."""
    for weight in student.weights.values():
        weight.requires_grad_(weight.shape[-1] != len(alphabet))
    trained = {key: weight for key, weight in student.weights.items() if weight.requires_grad}
    optimiser = torch.optim.AdamW(trained.values(), lr=cycle.rate, betas=(0.9, 0.98), weight_decay=1e-4)
    mean = {key: weight.detach().clone() for key, weight in trained.items()}
    started, averages, num_lines = time.monotonic(), np.zeros(2), 0
    for step, batch in enumerate(itertools.islice(batches, cycle.num_steps)):
        for group in optimiser.param_groups:
            group["lr"] = _rate_at(step, cycle)
        losses = losses_of(student, teacher, alphabet, batch)
        optimiser.zero_grad()
        losses.sum().backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), 5.0)
        optimiser.step()
        share = 1 - min(_LONGEST_MEAN, (step + 2) / (step + 21))
        with torch.no_grad():
            for key, value in mean.items():
                value.lerp_(trained[key], share)
        num_lines += len(batch)
        averages += (losses.detach().numpy() - averages) * max(0.02, 1 / (step + 1))
        if (step + 1) % _LOG_EVERY == 0:
            said: dict[str, float] = {
                "cycle": cycle.number,
                "step": step + 1,
                "lines": num_lines,
                "seconds": round(time.monotonic() - started),
            }
            said |= {name: round(float(value), 4) for name, value in zip(("text", "places"), averages, strict=True)}
            print(json.dumps(said), file=log, flush=True)
        if (step + 1) % _SAVE_EVERY == 0:
            yield mean
    yield mean


def _rate_at(step: int, cycle: Cycle) -> float:
    warm = min(1.0, (step + 1) / _NUM_WARMUP_STEPS)
    return cycle.rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / cycle.num_steps))


def losses_of(student: Graph, teacher: Graph, alphabet: list[str], batch: list[Crop]) -> Tensor:
    """Give two losses by character of a batch: of the text (CTC), and of what the teacher says of the sharp lines.

    Lines that the teacher misreads count for neither. Without the second loss the places where characters are said
    drift, and the two graphs can no longer speak together.
    """
    with torch.no_grad():
        said = teacher(_batch_planes([crop.sharp for crop in batch]), in_bfloat16=True).argmax(-1)  # (lines, steps)
    likelihoods = student(_batch_planes([crop.pixels for crop in batch]), in_bfloat16=True).float().log_softmax(-1)
    num_steps = torch.tensor([min(said.shape[1], -(-crop.pixels.shape[1] // _STEP_PX) + 1) for crop in batch])
    is_read = torch.tensor(
        [_plain(_decoded(steps, alphabet)) == _plain(crop.text) for steps, crop in zip(said, batch, strict=True)]
    )
    targets = [_without_repeats(steps) for steps in said]
    lengths = torch.tensor([len(target) for target in targets])
    text = F.ctc_loss(
        likelihoods.transpose(0, 1), torch.cat(targets), num_steps, lengths, zero_infinity=True, reduction="none"
    )
    weights = torch.where(said == 0, _BLANK_WEIGHT, 1.0)
    weights = weights * (torch.arange(said.shape[1]) < num_steps[:, None])
    places = -(likelihoods.gather(-1, said[..., None])[..., 0] * weights).sum(-1)
    return (torch.stack([text, places]) * is_read).sum(-1) / max(1, int((lengths * is_read).sum()))


def _without_repeats(steps: Tensor) -> Tensor:
    """Give the places in the alphabet that a row of steps says, blanks and repetitions left out."""
    is_new = torch.ones(len(steps), dtype=torch.bool)
    is_new[1:] = steps[1:] != steps[:-1]
    return steps[is_new & (steps != 0)]


def _decoded(steps: Tensor, alphabet: list[str]) -> str:
    return "".join(alphabet[int(place)] for place in _without_repeats(steps))


def _plain(text: str) -> str:
    """Leave out what both widths of a sign and spaces differ in."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def _batch_planes(lines: list[NDArray[np.uint8]]) -> Tensor:
    """Give (lines, 3, 48, width) in blue, green, red from -1 to 1, padded with 0 as the product does."""
    width = padded_width(max(pixels.shape[1] for pixels in lines))
    planes = np.zeros((len(lines), 3, LINE_HEIGHT_PX, width), np.float32)
    for own, pixels in zip(planes, lines, strict=True):
        own[:, :, : pixels.shape[1]] = planes_of(pixels)
    return torch.from_numpy(planes).contiguous(memory_format=torch.channels_last)


def _batches(pool: Any, first_seed: int) -> Iterator[list[Crop]]:
    """Give batches without end, drawn shard by shard; the lines of a batch have nearly the same width."""
    for first in itertools.count(first_seed, _SHEETS_A_SHARD):
        tasks = [
            range(start, start + _SHEETS_A_TASK) for start in range(first, first + _SHEETS_A_SHARD, _SHEETS_A_TASK)
        ]
        crops = [crop for part in pool.map(crops_of, tasks, chunksize=1) for crop in part]
        crops.sort(key=lambda crop: crop.pixels.shape[1] + random.uniform(-20, 20))
        shard: list[list[Crop]] = [[]]
        for crop in crops:
            widest = max(crop.pixels.shape[1], *(other.pixels.shape[1] for other in shard[-1]), 0)
            if shard[-1] and widest * (len(shard[-1]) + 1) > _BATCH_WIDTH_PX:
                shard.append([])
            shard[-1].append(crop)
        random.shuffle(shard)
        yield from shard


if __name__ == "__main__":
    raise SystemExit(main())
