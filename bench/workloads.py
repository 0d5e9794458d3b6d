"""What caching, batching, drafting and forms give: workloads on our engine, and on the peers that can do them.

Owns: the command line and the order of measurements. Must not know: how a workload or a peer works, how tables look.
Run: ``python -m bench.workloads`` (peers are those of ``bench.engine``); ``--quick`` for a check with small pictures.
Writes ``bench/results/workloads.json``, from which the second part of docs/benchmarks.md is made.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.engine import find_peers, say
from bench.home import bench_home
from bench.machine import describe_machine
from bench.peer_process import PeerError, PeerProcess, peak_bytes
from bench.peers.catalogue import PEERS, PeerSpec
from bench.setup_peers import ensure_checkpoint
from bench.workload_runs import crowds, pictures, writing
from bench.workload_runs.subject import QUESTIONS, QUICK, SYSTEM, Sizes, Subject, load_engine, picture_file
from bench.workloads_report import OURS, RESULTS, print_report
from kandong.vlm.device import Precision

Measure = Callable[[Subject, int], dict[str, Any]]
Tasks = Callable[[PeerProcess, "Run", int], dict[str, Any]]
WORKLOADS: dict[str, Measure] = {
    "follow_up": pictures.measure_follow_up,
    "moved_picture": pictures.measure_moved_picture,
    "crowd": crowds.measure_crowd,
    "pauses": crowds.measure_pauses,
    "copying": writing.measure_copying,
    "form": writing.measure_form,
    "warm_up": pictures.measure_warm_up,
    "sameness": crowds.measure_sameness,
}
# Counts that do not change from round to round, so one is enough.
ONCE = {"form", "sameness"}
# Which peer can do what, and the module that does it.
PEER_MODULES = {
    "genai": ("bench.peers.genai_workloads", ("follow_up", "crowd", "pauses")),
    "llama.cpp": ("bench.peers.llama_cpp_workloads", ("follow_up", "crowd")),
    "transformers-bf16": ("bench.peers.transformers_workloads", ("crowd",)),
}


@dataclass
class Run:
    """What one run measures, and what it found so far: workload → who → one measurement a round.

    All of it is written to ``output`` after each round, so that a run that is cut short is not lost.
    """

    home: Path
    checkpoint: Path
    sizes: Sizes
    names: list[str]
    command: str
    output: Path | None = None
    precision: Precision = Precision.INT8
    results: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=lambda: {OURS: "Kandong"})
    machine: dict[str, object] = field(default_factory=describe_machine)
    started: float = field(default_factory=time.monotonic)

    @property
    def pictures(self) -> Path:
        """The folder of pictures."""
        return self.home / "pictures"

    def keep(self, name: str, who: str, measurement: dict[str, Any]) -> None:
        """Keep one round's measurement."""
        self.results.setdefault(name, {}).setdefault(who, []).append(measurement)
        self.save()

    def result(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        return {
            "date": time.strftime("%Y-%m-%d"),
            "command": self.command,
            "minutes": round((time.monotonic() - self.started) / 60, 1),
            "machine": self.machine,
            "sizes": asdict(self.sizes),
            "titles": self.titles,
            "versions": self.versions,
            "about": self.about,
            "workloads": self.results,
            "skipped": self.skipped,
            "peak_bytes": self.peak_bytes,
        }

    def keep_peak(self, who: str, peak_bytes: int | None) -> None:
        """Keep the largest resident size of a process so far, where the system tells it."""
        if peak_bytes is not None:
            self.peak_bytes[who] = peak_bytes

    def save(self) -> None:
        """Write the result, where it is wanted."""
        if self.output is not None:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.result(), ensure_ascii=False, indent=1) + "\n"
            self.output.write_text(text, encoding="utf-8")


def measure_ours(run: Run) -> None:
    """Run the workloads on our engine, with features in a folder that is empty at first."""
    with tempfile.TemporaryDirectory(dir=run.home, prefix="features-") as folder:
        features = Path(folder)
        engine = load_engine(run.checkpoint, run.precision, features)
        run.about[OURS] = str(engine.numerics)

        def restart(picture: Path, prompt: str) -> Mapping[str, Any]:
            arguments = [str(run.checkpoint), str(features), "--precision", str(run.precision)]
            command = [sys.executable, "-m", "bench.peers.ours_restarted", *arguments]
            process = PeerProcess(command, run.home / "logs" / "restarted.log")
            try:
                return process.do("ask", picture=str(picture), prompt=prompt)
            finally:
                process.close()

        subject = Subject(engine, run.sizes, run.pictures, restart)
        for name in run.names:
            for round_index in range(1 if name in ONCE else run.sizes.num_rounds):
                since = time.monotonic()
                found = WORKLOADS[name](subject, round_index)
                run.keep_peak(OURS, peak_bytes(os.getpid()))
                run.keep(name, OURS, found)
                say(f"Kandong: {name}, round {round_index + 1}, {time.monotonic() - since:.0f} s")


def measure_peer(run: Run, spec: PeerSpec, names: Sequence[str]) -> None:
    """Run the workloads that a peer can do; one that fails is left out with its reason."""
    try:
        process = PeerProcess(spec.command(run.home, run.checkpoint), run.home / "logs" / f"{spec.key}-workloads.log")
    except PeerError as failure:
        run.skipped[spec.key] = f"{spec.title} failed: {failure}"
        return
    run.versions |= process.ready["versions"]
    run.about[spec.key] = process.ready["about"]
    try:
        # The first inference makes kernels and copies weights.
        process.do("crowd", prompts=["你好"], max_tokens=2)
        for name in names:
            for round_index in range(run.sizes.num_rounds):
                since = time.monotonic()
                found = PEER_TASKS[name](process, run, round_index)
                run.keep_peak(spec.key, process.peak_bytes())
                run.keep(name, spec.key, found)
                say(f"{spec.title}: {name}, round {round_index + 1}, {time.monotonic() - since:.0f} s")
    except PeerError as failure:
        run.skipped[spec.key] = f"{spec.title} failed at {name}: {failure}"
        say(run.skipped[spec.key])
        run.results.get(name, {}).pop(spec.key, None)
    finally:
        process.close()


def _chat(process: PeerProcess, run: Run, round_index: int) -> dict[str, Any]:
    picture = str(picture_file(run.pictures, run.sizes.side_px, round_index))
    reply = process.do("chat", picture=picture, system=SYSTEM, prompts=QUESTIONS, max_tokens=16)
    return dict(zip(("first_ms", "second_ms", "third_ms"), reply["first_ms"], strict=True))


def _crowd(process: PeerProcess, run: Run, round_index: int) -> dict[str, Any]:
    rates = []
    for count in (1, run.sizes.num_at_once):
        prompts = [f"第{round_index}轮第{i}位：请写一段话介绍{i + 3}种茶。" for i in range(count)]
        rates.append(process.do("crowd", prompts=prompts, max_tokens=run.sizes.num_tokens)["tokens_per_s"])
    return {"alone_tokens_per_s": rates[0], "together_tokens_per_s": rates[1], "gain": rates[1] / rates[0]}


def _pauses(process: PeerProcess, run: Run, round_index: int) -> dict[str, Any]:
    picture = str(picture_file(run.pictures, run.sizes.side_px, 200 + round_index))
    return process.do("pauses", picture=picture, prompts=["把图里的文字逐字抄下来。", QUESTIONS[0]])


PEER_TASKS: dict[str, Tasks] = {"follow_up": _chat, "crowd": _crowd, "pauses": _pauses}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.workloads", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, default=None, help="default: random weights of 2B shapes, made once")
    parser.add_argument("--quick", action="store_true", help="one round, small pictures: a check, not a measurement")
    parser.add_argument("--rounds", type=int, default=None, help=f"default: {Sizes().num_rounds}")
    parser.add_argument("--only", action="append", choices=list(WORKLOADS), help="again for each one")
    parser.add_argument("--peer", action="append", choices=[*PEER_MODULES, "none"], help="beside Kandong; default: all")
    parser.add_argument("--output", type=Path, default=None, help="default: bench/results, with --quick nowhere")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the workloads; gives the exit code."""
    options = parse(arguments)
    home = bench_home()
    (home / "logs").mkdir(parents=True, exist_ok=True)
    os.environ["KANDONG_HOME"] = str(home / "kandong")
    checkpoint = options.checkpoint.absolute() if options.checkpoint else ensure_checkpoint(home / "random-2b")
    sizes = QUICK if options.quick else Sizes()
    sizes = replace(sizes, num_rounds=options.rounds or sizes.num_rounds)
    command = shlex.join(["python", "-m", "bench.workloads", *(arguments or sys.argv[1:])])
    output = options.output or (None if options.quick else RESULTS)
    run = Run(home, checkpoint, sizes, options.only or list(WORKLOADS), command, output)
    keys = [key for key in PEER_MODULES if key in (options.peer or PEER_MODULES)]
    peers, run.skipped = find_peers(keys, home, checkpoint) if keys else ([], {})
    run.titles |= {spec.key: spec.title for spec in PEERS if spec.key in keys}
    measure_ours(run)
    for spec in sorted(peers, key=lambda spec: keys.index(spec.key)):
        module, able = PEER_MODULES[spec.key]
        if names := [name for name in run.names if name in able]:
            measure_peer(run, replace(spec, module=module), names)
    run.save()
    print_report(run.result())
    return 0


if __name__ == "__main__":
    sys.exit(main())
