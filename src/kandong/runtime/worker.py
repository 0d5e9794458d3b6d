"""The engine's process: one thread owns the engine, the main thread the socket.

Owns: the process from its first line to its exit code. Must not know: what an engine computes, who its clients are.
Started by ``supervisor.py`` with its settings as one JSON line on stdin, which then stays open as long as its parent
lives.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from kandong.errors import KandongError
from kandong.runtime.channel import Keys, write_file
from kandong.runtime.engine_protocol import StepEngine
from kandong.runtime.parent_watch import watch_parent
from kandong.runtime.quarantine import Quarantine
from kandong.runtime.waker import Waker
from kandong.runtime.wire import error_to_plain
from kandong.runtime.worker_front import Front
from kandong.runtime.worker_loop import EngineLoop, Inbox
from kandong.typed_values import from_json

EXIT_DRAINED = 0
EXIT_CRASHED = 70
EXIT_NOT_LOADED = 72


@dataclass(frozen=True)
class OpenedEngine:
    """An engine that has been loaded, and what clients may want to know about it."""

    engine: StepEngine
    about: dict[str, str | float] = field(default_factory=dict)


OpenEngine = Callable[[Callable[[str], None]], OpenedEngine]


class WorkerConfig(msgspec.Struct, frozen=True):
    """What a process is told at its start. ``engine`` is for whoever opens the engine."""

    folder: str
    generation: int
    parent_id: int
    keys: Keys | None = None
    drain_s: float = 25.0
    engine: dict[str, Any] = {}


def read_config() -> WorkerConfig:
    """Read the settings from stdin and begin to watch the parent."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65_536)
        if not piece:
            os._exit(EXIT_CRASHED)
        line += piece
    config = from_json(line, WorkerConfig)
    watch_parent(config.parent_id, pipe=0)
    return config


def serve(open_engine: OpenEngine, config: WorkerConfig) -> None:
    """Load an engine, serve it until drained, and end the process; never returns.

    The socket answers from the start; ``open_engine`` is given a function to say what it is doing.
    """
    faulthandler.enable()
    folder = Path(config.folder)
    waker, inbox = Waker(), Inbox()
    front = Front(folder, config.generation, config.keys, inbox, waker)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, lambda *_: front.drain(config.drain_s))
    exit_codes: list[int] = []

    def own_the_engine() -> None:
        exit_codes.append(_run_engine(open_engine, config, front, inbox, folder))
        front.is_stopping = True
        waker.wake()

    threading.Thread(target=own_the_engine, name="engine", daemon=True).start()
    front.run()
    if exit_codes[0] == EXIT_DRAINED:
        front.close()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: the libraries below take their time to take themselves apart, and nothing is left to save.
    os._exit(exit_codes[0])


def _run_engine(open_engine: OpenEngine, config: WorkerConfig, front: Front, inbox: Inbox, folder: Path) -> int:
    """Run the engine's thread from loading to the end; gives the exit code."""

    def say(text: str) -> None:
        front.loading = text

    try:
        opened = open_engine(say)
    except KandongError as error:
        failure = {**error_to_plain(error), "retryable": error.retryable}
        write_file(folder / f"failure-{config.generation}.json", failure)
        return EXIT_NOT_LOADED
    except BaseException:  # noqa: BLE001 - the edge: whatever it is, the process ends by it, and says so
        traceback.print_exc()
        return EXIT_CRASHED
    quarantine = Quarantine(folder)
    # What is loaded stays: later collections need not walk it.
    gc.collect()
    gc.freeze()
    try:
        front.about = opened.about
        front.loop = EngineLoop(opened.engine, inbox, front.outbox, quarantine)
        front.loop.run()
    except BaseException:  # noqa: BLE001 - as above; the journal stays as it is and tells the next process
        traceback.print_exc()
        return EXIT_CRASHED
    quarantine.close()
    return EXIT_DRAINED


def main() -> None:
    """Serve the model that the settings name."""
    from kandong.runtime.worker_engine import open_engine

    config = read_config()
    serve(lambda report: open_engine(config.engine, report), config)


if __name__ == "__main__":
    main()
