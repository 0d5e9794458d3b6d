"""Speed of the engine beside its peers, alternately in one run, on random weights of exact 2B shapes.

Owns: the command line and the order of measurements. Must not know: how a peer computes, how a table is written.
Run: ``python -m bench.engine`` (``make bench``); peers are set up by ``python -m bench.setup_peers all``, and one
that is not there is a line that says so. Writes ``bench/results/engine.json``, from which docs/benchmarks.md is made.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.engine_report import RESULTS, print_report
from bench.home import bench_home
from bench.machine import available_memory_bytes, describe_machine
from bench.peer_process import PeerError, PeerProcess
from bench.peers.catalogue import PEERS, REFERENCE, PeerSpec
from bench.setup_peers import ensure_checkpoint

QUESTION = "这张图里写了什么？价格是多少？"
NUM_TOKENS = 16
# Left to the system and to files in memory when peers are kept running side by side.
_SPARE_GIB = 2.0


@dataclass
class Run:
    """What one run measures, and what it found so far."""

    home: Path
    checkpoint: Path
    pictures: dict[int, Path]
    num_rounds: int
    peers: list[PeerSpec]
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def start(self, spec: PeerSpec) -> PeerProcess:
        """Start a peer and let it answer once; keeps the times of both. Raises PeerError."""
        say(f"{spec.title}: starting")
        process = PeerProcess(
            spec.command(self.home, self.checkpoint),
            self.home / "logs" / f"{spec.key}.log",
            {"KANDONG_HOME": str(self.home / "kandong")},
        )
        try:
            process.ask(self.pictures[512], QUESTION, 1)
        except PeerError:
            process.close()
            raise
        found = self.results.setdefault(spec.key, {"title": spec.title, "starts": [], "answers": []})
        found |= {"versions": process.ready["versions"], "about": process.ready["about"]}
        answered_ms = (time.perf_counter() - process.started) * 1e3
        found["starts"].append({"ready_ms": process.ready_ms, "first_answer_ms": answered_ms})
        return process

    def drop(self, spec: PeerSpec, failure: PeerError) -> None:
        """Leave a peer out from now on; what it did is not reported, the reason is."""
        say(f"{spec.title}: {failure}")
        self.skipped[spec.key] = f"{spec.title} failed: {failure}"
        self.results.pop(spec.key, None)
        self.peers.remove(spec)


def say(line: str) -> None:
    """Report progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {line}", file=sys.stderr, flush=True)


def find_peers(keys: Sequence[str], home: Path, checkpoint: Path) -> tuple[list[PeerSpec], dict[str, str]]:
    """Give the peers that can be measured, and for each other one a line that says what to do."""
    wanted = [spec for spec in PEERS if (spec.key in keys if keys else spec.is_default)]
    missing = {spec.key: spec.missing(home, checkpoint) for spec in wanted}
    return [spec for spec in wanted if missing[spec.key] is None], {
        spec.key: f"{spec.title} is not set up: run `python -m bench.setup_peers {spec.setup}`"
        for spec in wanted
        if missing[spec.key] is not None
    }


def plan_sessions(peers: Sequence[PeerSpec], memory_gib: float) -> list[list[PeerSpec]]:
    """Divide the peers into groups that fit in memory side by side; the reference is in each, to be compared with."""
    reference = [spec for spec in peers if spec.key == REFERENCE]
    room = memory_gib - sum(spec.memory_gib for spec in reference)
    sessions: list[list[PeerSpec]] = []
    for spec in (spec for spec in peers if spec.key != REFERENCE):
        fitting = (s for s in sessions if sum(p.memory_gib for p in s) + spec.memory_gib <= room)
        session = next(fitting, None)
        if session is None:
            sessions.append(session := [])
        session.append(spec)
    return [[*reference, *session] for session in sessions or [[]]]


def convert_once(run: Run) -> None:
    """Have Kandong convert the checkpoint, which only its very first start does and no measured one should."""
    for spec in [spec for spec in run.peers if spec.environment is None]:
        if not any((run.home / "kandong" / "converted").glob(f"{run.checkpoint.resolve().name}-*")):
            try:
                run.start(spec).close()
            except PeerError as failure:
                run.drop(spec, failure)
            run.results.pop(spec.key, None)


def measure_starts(run: Run, num_starts: int) -> None:
    """Start every peer in turn so many times, its files in memory, and end it after its first answer."""
    for _ in range(num_starts):
        for spec in list(run.peers):
            read_files(spec.model_folder(run.home, run.checkpoint))
            try:
                run.start(spec).close()
            except PeerError as failure:
                run.drop(spec, failure)


def measure_session(run: Run, session_index: int, specs: Sequence[PeerSpec]) -> None:
    """Keep a group of peers running and ask them in turn, every picture, round by round."""
    others = [spec for spec in specs if spec.key != REFERENCE] or specs
    sides = sorted({side for spec in others for side in spec.sides_px})
    with ExitStack() as stack:
        processes: dict[str, PeerProcess] = {}
        for spec in [spec for spec in specs if spec in run.peers]:
            try:
                processes[spec.key] = run.start(spec)
                stack.callback(processes[spec.key].close)
                for side in [side for side in sides[1:] if side in spec.sides_px]:
                    # The first answer of a size is slower for some, as kernels are made for it.
                    processes[spec.key].ask(run.pictures[side], QUESTION, 2)
            except PeerError as failure:
                run.drop(spec, failure)
        for round_index in range(run.num_rounds):
            say(f"group {session_index + 1}, round {round_index + 1} of {run.num_rounds}")
            for side in sides:
                asked = [spec for spec in specs if spec in run.peers and side in spec.sides_px]
                # Whoever goes first meets colder caches.
                for spec in asked if round_index % 2 == 0 else reversed(asked):
                    ask_once(run, spec, processes[spec.key], (session_index, round_index, side))
        for spec in [spec for spec in specs if spec in run.peers]:
            found, peak = run.results[spec.key], processes[spec.key].peak_bytes()
            if peak is not None:
                found["peak_bytes"] = max(peak, found.get("peak_bytes", 0))


def ask_once(run: Run, spec: PeerSpec, process: PeerProcess, place: tuple[int, int, int]) -> None:
    """Ask one question and keep the reply with its place: group, round and side of the picture."""
    try:
        reply = process.ask(run.pictures[place[2]], QUESTION, NUM_TOKENS)
    except PeerError as failure:
        run.drop(spec, failure)
        return
    names = ("session", "round", "side_px")
    run.results[spec.key]["answers"].append({**dict(zip(names, place, strict=True)), **reply})


def read_files(folder: Path) -> None:
    """Read all files once, so that starts find them in memory."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(16 << 20):
                    pass


def make_pictures(folder: Path) -> dict[int, Path]:
    """Write pictures of noise, the worst case of every decoder, and give them by their side."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {side: folder / f"noise-{side}.png" for side in (512, 1024)}
    for side, path in pictures.items():
        pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return pictures


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=None, help="default: random weights of 2B shapes, made once")
    parser.add_argument("--rounds", type=int, default=3)
    keys = [spec.key for spec in PEERS]
    parser.add_argument("--peer", action="append", choices=keys, help="measure only these; again for each one")
    parser.add_argument("--output", type=Path, default=RESULTS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; gives the exit code."""
    options = parse(arguments)
    home = bench_home()
    (home / "logs").mkdir(parents=True, exist_ok=True)
    checkpoint = options.checkpoint.absolute() if options.checkpoint else ensure_checkpoint(home / "random-2b")
    peers, skipped = find_peers(options.peer or [], home, checkpoint)
    for line in skipped.values():
        say(line)
    run = Run(home, checkpoint, make_pictures(home / "pictures"), options.rounds, peers, skipped=skipped)
    machine = describe_machine()
    memory_gib = available_memory_bytes() / 2**30 - _SPARE_GIB
    since = time.monotonic()
    convert_once(run)
    # One more start of each is that of the answers.
    measure_starts(run, options.rounds - 1)
    for index, session in enumerate(plan_sessions(run.peers, memory_gib)):
        measure_session(run, index, session)
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "command": shlex.join(["python", "-m", "bench.engine", *(arguments or sys.argv[1:])]),
        "minutes": round((time.monotonic() - since) / 60, 1),
        "machine": machine,
        "num_rounds": options.rounds,
        "num_tokens": NUM_TOKENS,
        "peers": run.results,
        "skipped": run.skipped,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print_report(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
