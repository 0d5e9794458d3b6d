"""Speed of the engine beside OpenVINO GenAI, both alternately in one run, on random weights of exact 2B shapes.

Owns: the order of measurements, medians and ratios. Must not know: how a peer computes.
Run: ``python -m bench.engine`` (``make bench``). Writes ``.cache/bench/engine.json``. Timings of a shared machine are
noisy: read the ratios, which compare neighbours in time.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from bench.peers.ours import noise_picture

CACHE = Path(".cache/bench")
QUESTION = "这张图里写了什么？价格是多少？"
SIDES_PX = (512, 1024)
PREFILL_TOKENS = (270, 1040)
NUM_DECODED_TOKENS = 24


@dataclass(frozen=True)
class Measurement:
    """One thing to time: a request line, and which number of the reply counts."""

    name: str
    request: dict[str, Any]
    field: str


def measurements(pictures: dict[int, Path]) -> list[Measurement]:
    """List what is measured."""
    listed = []
    for side in SIDES_PX:
        request = {"command": "vision", "width_px": side, "height_px": side}
        listed.append(Measurement(f"vision {side}×{side}", request, "vision_ms"))
    for tokens in PREFILL_TOKENS:
        request = {"command": "prefill", "num_tokens": tokens}
        listed.append(Measurement(f"prefill {tokens} tokens", request, "prefill_ms"))
    for side, picture in pictures.items():
        request = {"picture": str(picture.resolve()), "prompt": QUESTION, "max_tokens": NUM_DECODED_TOKENS}
        listed.append(Measurement(f"first token {side}×{side}", request, "ttft_ms"))
        listed.append(Measurement(f"one token after {side}×{side}", request, "token_ms"))
    return listed


class Peer:
    """A measuring process that answers one JSON line per JSON line."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self._read()

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for the reply."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def peak_bytes(self) -> int | None:
        """Read the largest resident memory of the process so far, where the system tells it."""
        status = Path(f"/proc/{self._process.pid}/status")
        lines = status.read_text("ascii").splitlines() if status.is_file() else []
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), None)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with code {self._process.wait()}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise SystemExit(f"{self.name}: {reply['error']}")
        return reply


def run_round(peers: list[Peer], listed: list[Measurement], times: dict[str, dict[str, list[float]]] | None) -> None:
    """Measure everything once, the peers in turn; ``None`` throws the numbers away (the first run of each shape)."""
    replies: dict[str, dict[str, dict[str, Any]]] = {}
    for measurement in listed:
        key = json.dumps(measurement.request)
        if key not in replies:
            replies[key] = {peer.name: peer.call(measurement.request) for peer in peers}
        for peer in peers:
            if times is not None:
                times[measurement.name][peer.name].append(float(replies[key][peer.name][measurement.field]))
    peers.reverse()  # whoever goes first meets colder caches


def report(times: dict[str, dict[str, list[float]]], names: list[str]) -> list[dict[str, Any]]:
    """Print medians with their range, and the ratio of the first peer to each other one; gives the rows."""
    rows = []
    for what, by_peer in times.items():
        medians = {name: statistics.median(values) for name, values in by_peer.items()}
        row: dict[str, Any] = {"measurement": what, "times_ms": by_peer, "median_ms": medians}
        # Neighbours in time share the machine's mood: the median of the ratios, not the ratio of the medians.
        row["ratio"] = {
            name: statistics.median(a / b for a, b in zip(by_peer[names[0]], by_peer[name], strict=True))
            for name in names[1:]
        }
        rows.append(row)
        cells = [f"{n} {medians[n]:8.0f} ms [{min(by_peer[n]):.0f}–{max(by_peer[n]):.0f}]" for n in names]
        ratios = [f"÷{name} {ratio:.2f}" for name, ratio in row["ratio"].items()]
        print(f"{what:24}", *cells, *ratios, sep="  ")
    return rows


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=CACHE / "random-2b", help="made if it is missing")
    parser.add_argument("--genai-python", type=Path, default=CACHE / "genai-venv/bin/python")
    parser.add_argument("--genai-export", type=Path, default=CACHE / "random-2b-genai-int8")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compute", action="append", choices=["bf16", "f32"], help="ours; default: both")
    parser.add_argument(
        "--only", default="", help="measure only what has one of these, separated by commas, in its name"
    )
    parser.add_argument("--output", type=Path, default=CACHE / "engine.json")
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    if not (arguments.checkpoint / "config.json").is_file():
        subprocess.run([sys.executable, "-m", "bench.random_checkpoint", str(arguments.checkpoint)], check=True)
    pictures = {}
    for side in SIDES_PX:
        pictures[side] = arguments.output.parent / f"noise-{side}.png"
        Image.fromarray(noise_picture(side)).save(pictures[side])
    peers = []
    for compute in arguments.compute or ["bf16", "f32"]:
        command = [sys.executable, "-m", "bench.peers.ours", str(arguments.checkpoint), "--compute", compute]
        peers.append(Peer(f"kandong int8/{compute}", command))
    if arguments.genai_python.is_file() and arguments.genai_export.is_dir():
        genai = Path(__file__).with_name("peers") / "genai.py"
        peers.append(Peer("genai int8", [str(arguments.genai_python), str(genai), str(arguments.genai_export)]))
    else:
        print("OpenVINO GenAI is not set up: run `python -m bench.peers.setup_genai`. Measuring Kandong alone.")
    names = [peer.name for peer in peers]
    for peer in peers:
        print(f"{peer.name}: {json.dumps(peer.ready)}")
    listed = [m for m in measurements(pictures) if any(part in m.name for part in arguments.only.split(","))]
    times: dict[str, dict[str, list[float]]] = {m.name: {name: [] for name in names} for m in listed}
    run_round(peers, listed, None)
    for _ in range(arguments.rounds):
        run_round(peers, listed, times)
    memory = {peer.name: peer.peak_bytes() for peer in peers}
    loads = {peer.name: peer.ready.get("load_ms") for peer in peers}
    for peer in peers:
        peer.close()
    rows = report(times, names)
    print("peak memory", {name: f"{(value or 0) / 2**30:.2f} GiB" for name, value in memory.items()})
    about = {"date": time.strftime("%Y-%m-%d"), "machine": platform.processor() or platform.machine()}
    result = {**about, "load_ms": loads, "peak_bytes": memory, "rows": rows}
    arguments.output.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
