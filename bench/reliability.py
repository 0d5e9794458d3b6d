"""What becomes of requests when the engine's process dies, and what the way through a process costs.

Owns: the faults, the clocks and the table. Must not know: how a fault is survived.
Run: ``python -m bench.reliability [--model FOLDER] [--kills N]``. Needs POSIX signals and /proc. Without a model it
runs the small golden checkpoint, whose steps take milliseconds: what is measured is the process around the engine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kandong.reading.images import load_picture
from kandong.runtime.breaker import RestartPolicy
from kandong.runtime.channel import remove_private_folder
from kandong.runtime.client import EngineClient
from kandong.runtime.handle import Handle
from kandong.runtime.local import Kandong
from kandong.runtime.supervisor import Supervisor, SupervisorOptions
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Answer, Cancelled, Deadlines, Failed, Request, TextPiece
from kandong.vlm.sampling import SamplingParameters

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "tied"
CARD = ROOT / "samples" / "card.png"
NO_BREAKER = RestartPolicy(first_delay_s=0.02, max_delay_s=0.05, max_deaths=10**9)
NUM_HEALTH = 200
NUM_ROUND_TRIPS = 40
IDLE_S = 10.0

Row = dict[str, Any]


def request(number: int, max_tokens: int, **deadlines: float) -> Request:
    """Make a request that no other is equal to."""
    sampling = SamplingParameters(max_tokens=max_tokens, ignore_eos=True)
    message = Message("user", (PicturePart(0), TextPart(f"价格是多少？{number}")))
    return Request([message], [load_picture(CARD)], sampling, deadlines=Deadlines(**deadlines))


def milliseconds(times_s: list[float]) -> Row:
    """Give median, 99th percentile and maximum."""
    ordered = sorted(times_s)
    high = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {
        "median_ms": round(statistics.median(ordered) * 1e3, 2),
        "p99_ms": round(high * 1e3, 2),
        "max_ms": round(ordered[-1] * 1e3, 2),
        "n": len(ordered),
    }


def first_text(handle: Handle) -> Iterator[object]:
    """Read up to the first text; the iterator must be kept, because leaving it cancels."""
    events = handle.events()
    while not isinstance(next(events), TextPiece):
        pass
    return events


def wait_for(condition: Callable[[], object], within_s: float = 120.0) -> float:
    """Give how long a condition took to become true."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > within_s:
            raise TimeoutError("a measurement waited in vain")
        time.sleep(0.002)
    return time.monotonic() - started


def process_stat(process_id: int) -> list[str]:
    """Give the fields of /proc/<n>/stat after the name; empty if the process is gone."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def is_gone(process_id: int) -> bool:
    """Whether a process has ended."""
    return process_stat(process_id)[:1] in ([], ["Z"], ["X"])


def round_trips(client: EngineClient, model: Path) -> Iterator[Row]:
    """Compare the way through the process with a call, alternately, each request new to both."""
    here = Kandong(model, keep_features=False).engine
    for max_tokens in (1, 64):
        calls: dict[str, list[float]] = {"call": [], "process": []}
        for i in range(NUM_ROUND_TRIPS):
            for name, generate in (("call", here.generate), ("process", client.generate)):
                asked = request(i + 1000 * max_tokens, max_tokens)
                started = time.perf_counter()
                for _ in generate(asked):
                    pass
                calls[name].append(time.perf_counter() - started)
        direct, through = (statistics.median(calls[name]) * 1e3 for name in ("call", "process"))
        yield {"what": f"{max_tokens} tokens, called", "median_ms": round(direct, 2), "n": NUM_ROUND_TRIPS}
        ratio = round(through / direct, 3)
        yield {"what": f"{max_tokens} tokens, through the process", "median_ms": round(through, 2), "ratio": ratio}


def health_while_writing(client: EngineClient) -> Row:
    """Ask for health while the model writes."""
    handle = client.submit(request(1, 6000))
    events = first_text(handle)
    times = []
    for _ in range(NUM_HEALTH):
        started = time.perf_counter()
        if not client.health().is_ready:
            raise RuntimeError("not ready while writing")
        times.append(time.perf_counter() - started)
        time.sleep(0.003)
    is_done = handle.is_done
    handle.cancel()
    list(events)
    return {"what": "health while the model writes", **milliseconds(times), "was_writing": not is_done}


def cancelling(client: EngineClient) -> Row:
    """Cancel at 0.1 s; how long until the engine holds nothing."""
    times = []
    for i in range(20):
        handle = client.submit(request(100 + i, 6000))
        time.sleep(0.1)
        started = time.perf_counter()
        handle.cancel()
        if not isinstance(list(handle)[-1], Cancelled):
            raise TypeError("a cancelled request ended otherwise")
        times.append(time.perf_counter() - started)
    return {"what": "cancel at 0.1 s until cancelled", **milliseconds(times)}


def idle(supervisor: Supervisor) -> Row:
    """Give the processor's share that the idle process takes, and this one with supervisor and client in it."""
    number = supervisor.process_id or 0

    def ticks() -> float:
        fields = process_stat(number)
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before, own = ticks(), time.process_time()
    time.sleep(IDLE_S)
    shares = ((ticks() - before) / IDLE_S, (time.process_time() - own) / IDLE_S)
    return {"what": "idle", "process_percent": round(100 * shares[0], 2), "parent_percent": round(100 * shares[1], 2)}


def kills(supervisor: Supervisor, client: EngineClient, num_kills: int, seed: int) -> Iterator[Row]:
    """Kill at random moments with four requests under way; count how each of them ended."""
    chance = random.Random(seed)
    ends: Counter[str] = Counter()
    noticed, restarted = [], []
    for i in range(num_kills):
        wait_for(lambda: supervisor.state == "ready")
        handles = [client.submit(request(10_000 + 10 * i + j, 48)) for j in range(4)]
        time.sleep(chance.uniform(0.0, 0.4))
        lives = client.metrics()["client_lives"]
        os.kill(supervisor.process_id or 0, signal.SIGKILL)
        killed = time.monotonic()
        noticed.append(wait_for(lambda: supervisor.process_id is None or supervisor.state != "ready"))
        for handle in handles:
            terminals = [e for e in handle if isinstance(e, Answer | Cancelled | Failed)]
            ends["not exactly one end" if len(terminals) != 1 else _name(terminals[0])] += 1
        wait_for(lambda before=lives: client.metrics()["client_lives"] > before)  # type: ignore[misc]
        wait_for(lambda: client.health().is_ready)
        restarted.append(time.monotonic() - killed)
    yield {"what": f"{num_kills} kills, ends of {4 * num_kills} requests", **dict(sorted(ends.items()))}
    yield {"what": "kill until the supervisor knows", **milliseconds(noticed)}
    yield {"what": "kill until ready again", **milliseconds(restarted)}


def _name(event: Answer | Cancelled | Failed) -> str:
    return event.error.code if isinstance(event, Failed) else type(event).__name__.lower()


def hanging(supervisor: Supervisor, client: EngineClient) -> Iterator[Row]:
    """Stop the process: when the request fails that had a second, and when the engine answers again."""
    wait_for(lambda: supervisor.state == "ready")
    os.kill(supervisor.process_id or 0, signal.SIGSTOP)
    started = time.monotonic()
    terminal = list(client.submit(request(1, 4, total_s=1.0)))[-1]
    failed_s = time.monotonic() - started
    client.submit(request(2, 4)).result(120)
    answered_s = time.monotonic() - started
    if not isinstance(terminal, Failed) or terminal.error.code != "deadline_exceeded":
        raise TypeError("a request outlived its deadline")
    yield {"what": "process stopped, deadline 1 s: failed after", "seconds": round(failed_s, 2)}
    yield {"what": "process stopped: next request answered after", "seconds": round(answered_s, 2)}


def draining(model: Path) -> Row:
    """Stop a supervisor with a request under way."""
    supervisor = Supervisor(_options(model)).start()
    supervisor.wait_ready(600)
    with EngineClient(supervisor.folder) as client:
        handle = client.submit(request(1, 100))
        events = first_text(handle)
        started = time.monotonic()
        supervisor.stop()
        seconds = time.monotonic() - started
        ended = _name([e for e in events if isinstance(e, Answer | Failed)][-1])
    return {"what": "drain with one request under way", "seconds": round(seconds, 2), "request": ended}


def orphans(model: Path) -> Row:
    """Kill a supervisor while its engine writes; how long its process lives on."""
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom bench.reliability import _options, request\n"
        "from kandong.runtime.client import EngineClient\nfrom kandong.runtime.supervisor import Supervisor\n"
        "supervisor = Supervisor(_options(Path(sys.argv[1]))).start()\nsupervisor.wait_ready(600)\n"
        "handle = EngineClient(supervisor.folder).submit(request(1, 6000))\n"
        "print(supervisor.process_id, supervisor.folder, flush=True)\ntime.sleep(600)\n"
    )
    times = []
    for _ in range(3):
        command = [sys.executable, "-c", program, str(model)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
            if owner.stdout is None:
                raise RuntimeError("no pipe")
            number, folder = owner.stdout.readline().split()
            owner.kill()
            times.append(wait_for(lambda n=int(number): is_gone(n), 30))  # type: ignore[misc]
        remove_private_folder(Path(folder))
    return {"what": "supervisor killed until its process is gone", **milliseconds(times)}


def _options(model: Path) -> SupervisorOptions:
    return SupervisorOptions(engine={"model": str(model), "keep_features": False}, restart=NO_BREAKER)


def measure(model: Path, num_kills: int, seed: int) -> Iterator[Row]:
    """Run everything, one row at a time."""
    with Supervisor(_options(model)) as supervisor, EngineClient(supervisor.folder) as client:
        started = time.monotonic()
        supervisor.wait_ready(1800)
        yield {"what": "start until ready", "seconds": round(time.monotonic() - started, 2)}
        yield idle(supervisor)
        yield from round_trips(client, model)
        yield health_while_writing(client)
        yield cancelling(client)
        yield from kills(supervisor, client, num_kills, seed)
        yield from hanging(supervisor, client)
    yield draining(model)
    yield orphans(model)


def main() -> None:
    """Print one JSON object a row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=GOLDEN)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for row in measure(arguments.model, arguments.kills, arguments.seed):
        print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
