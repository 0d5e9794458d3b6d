"""Keeps the engine's process running: starts it, watches it, starts it again, ends it.

Owns: the process, the private folder, and ``engine.json`` that tells clients where to go. Must not know: requests. One
thread does it all; public methods may be called by any thread.

A process is given up as hung when it does not answer for ``heartbeat_s``, or its engine is in one step for longer than
``max_step_s``. A supervisor that dies takes its process with it (parent_watch.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import zmq

from kandong.errors import EngineUnavailableError
from kandong.runtime.breaker import Breaker, RestartPolicy
from kandong.runtime.channel import (
    EngineState,
    Keys,
    StateFile,
    Transport,
    default_transport,
    make_private_folder,
    read_failure,
    read_worker,
    remove_private_folder,
    write_file,
)
from kandong.runtime.life import Life
from kandong.runtime.messages import Drain, Ping, Status
from kandong.runtime.wire import error_from_plain
from kandong.runtime.worker import EXIT_DRAINED, EXIT_NOT_LOADED, WorkerConfig

WORKER_COMMAND = (sys.executable, "-m", "kandong.runtime.worker")
_TURN_S = 0.1
_PING_EVERY_S = 1.0
_PULSE_EVERY_S = 1.0


@dataclass(frozen=True)
class SupervisorOptions:
    """How the process is run. ``engine`` goes to whoever opens the engine in it."""

    engine: dict[str, Any] = field(default_factory=dict)
    command: Sequence[str] = WORKER_COMMAND
    transport: Transport | None = None
    heartbeat_s: float = 10.0
    max_step_s: float = 20.0
    load_s: float = 1_800.0  # the first start converts the weights
    loading_heartbeat_s: float = 120.0
    drain_s: float = 25.0
    restart: RestartPolicy = field(default_factory=RestartPolicy)


class Supervisor:
    """Runs one engine's process. Use it as a context manager, or ``start`` and ``stop``."""

    def __init__(self, options: SupervisorOptions | None = None) -> None:
        self._options = options or SupervisorOptions()
        transport = self._options.transport or default_transport()
        self._keys = Keys.generate() if transport == "tcp" else None
        self.folder = make_private_folder()
        self._breaker = Breaker(self._options.restart)
        self._changed = threading.Condition()
        self._state = StateFile("starting", keys=self._keys)
        self._process: subprocess.Popen[bytes] | None = None
        self._status: Status | None = None
        self._stop_within_s: float | None = None
        self._num_starts = 0
        self._pulsed = 0.0
        self._publish("starting")
        self._thread = threading.Thread(target=self._run, name="engine-supervisor", daemon=True)

    def start(self) -> Supervisor:
        """Begin; returns at once."""
        self._thread.start()
        return self

    def wait_ready(self, timeout_s: float | None = None) -> Status:
        """Wait until the engine is loaded. Errors: what it could not be loaded for; ``EngineUnavailableError``."""
        with self._changed:
            self._changed.wait_for(lambda: self._state.state not in ("starting", "restarting"), timeout_s)
            state, status = self._state, self._status
        if state.state == "ready" and status is not None:
            return status
        if state.error is not None:
            raise error_from_plain(state.error)
        told = "is not ready yet" if state.state in ("starting", "restarting") else f"is {state.state}"
        raise EngineUnavailableError(f"The engine {told}.", hint="See what its process wrote to stderr.")

    @property
    def state(self) -> EngineState:
        """What clients are told."""
        return self._state.state

    @property
    def status(self) -> Status | None:
        """What the process last said, if it runs."""
        return self._status

    @property
    def process_id(self) -> int | None:
        """The process's number while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def stop(self, drain_s: float | None = None) -> None:
        """Let the process finish what is under way for up to ``drain_s``, end it, remove the folder. Idempotent."""
        with self._changed:
            self._stop_within_s = self._options.drain_s if drain_s is None else drain_s
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        remove_private_folder(self.folder)

    def __enter__(self) -> Supervisor:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            while self._stop_within_s is None:
                exit_code = self._run_process()
                if self._stop_within_s is not None:
                    break
                if exit_code == EXIT_NOT_LOADED and (error := self._fatal_error()) is not None:
                    self._publish("failed", error=error)
                    self._sleep(None)
                    break
                if exit_code == EXIT_DRAINED:  # somebody ended it in an orderly way: a new one, without delay
                    self._publish("restarting")
                    continue
                self._breaker.record_death()
                delay_s = self._breaker.delay_s()
                if self._breaker.is_open:
                    self._publish("unavailable", retry_at_s=time.time() + delay_s)
                else:
                    self._publish("restarting")
                self._sleep(delay_s)
        finally:
            self._kill()
            self._publish("stopped")

    def _fatal_error(self) -> dict[str, Any] | None:
        """Give why the engine cannot be loaded, if trying again would change nothing."""
        failure = read_failure(self.folder, self._num_starts)
        return None if failure is None or failure.get("retryable") else failure

    def _run_process(self) -> int:
        """Start the process and watch it to its end; gives its exit code."""
        self._num_starts += 1
        self._status = None
        started = time.monotonic()
        process = self._launch()
        worker = None
        while worker is None and process.poll() is None and self._stop_within_s is None:
            worker = read_worker(self.folder, self._num_starts)
            self._beat()
            if worker is None:
                if time.monotonic() - started > self._options.loading_heartbeat_s:
                    self._kill()
                time.sleep(0.02)
        if worker is not None:
            self._publish("starting", endpoint=worker.endpoint)
            context = zmq.Context[zmq.Socket[bytes]](io_threads=1)
            life = Life(context, worker.endpoint, self._keys, self._num_starts)
            try:
                self._watch(process, life, worker.endpoint, started)
            finally:
                life.close()
                context.destroy(linger=0)
        self._kill()  # if it has not ended by itself
        return process.wait()

    def _launch(self) -> subprocess.Popen[bytes]:
        config = WorkerConfig(
            folder=str(self.folder),
            generation=self._num_starts,
            parent_id=os.getpid(),
            keys=self._keys,
            drain_s=self._options.drain_s,
            engine=self._options.engine,
        )
        # stdout is data, and never the engine's: what a library prints there goes to stderr.
        process = subprocess.Popen(
            list(self._options.command), stdin=subprocess.PIPE, stdout=_stderr_descriptor(), close_fds=True
        )
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it may have died already, which is seen below
            process.stdin.write(msgspec.json.encode(config) + b"\n")
            process.stdin.flush()
        self._process = process
        return process

    def _watch(self, process: subprocess.Popen[bytes], life: Life, endpoint: str, started: float) -> None:
        """Ping the process until it ends, is asked to end, or hangs, in which case it is killed."""
        heard = looked = time.monotonic()
        pinged = 0.0
        kill_at: float | None = None
        while process.poll() is None:
            self._beat()
            now = time.monotonic()
            # Was it this process that stood still (a stopped job, a machine asleep)? Then silence proves nothing.
            heard, looked = (now if now - looked > 2.0 else heard), now
            if now - pinged >= (_PING_EVERY_S if self._state.state == "ready" else _TURN_S):
                life.queue(Ping())
                pinged = now
            life.flush()
            self._pause(life)
            for message in life.receive():
                if isinstance(message, Status):
                    heard = time.monotonic()
                    self._take_status(message, endpoint)
                    if message.state == "draining" and message.loading:
                        self._kill()  # it has begun nothing that it could finish
            if self._stop_within_s is not None and kill_at is None:
                kill_at = now + self._stop_within_s + 2.0
                self._ask_to_drain(life)
            if self._is_hung(heard, started) or (kill_at is not None and now >= kill_at):
                self._kill()

    def _pause(self, life: Life) -> None:
        poller = zmq.Poller()
        life.register(poller)
        if life.is_over:
            time.sleep(0.01)
        else:
            poller.poll(int(_TURN_S * 1e3))

    def _take_status(self, status: Status, endpoint: str) -> None:
        self._status = status
        if status.state == "ready" and self._state.state != "ready":
            self._publish("ready", endpoint=endpoint)

    def _is_hung(self, heard: float, started: float) -> bool:
        now, status = time.monotonic(), self._status
        if status is None or status.state == "loading":
            silence_s = self._options.loading_heartbeat_s
            return now - heard > silence_s or now - started > self._options.load_s
        return now - heard > self._options.heartbeat_s or status.step_ms > self._options.max_step_s * 1e3

    def _ask_to_drain(self, life: Life) -> None:
        assert self._stop_within_s is not None
        life.queue(Drain(self._stop_within_s))
        life.queue(Ping())
        life.flush()

    def _kill(self) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def _publish(
        self,
        state: EngineState,
        *,
        endpoint: str | None = None,
        retry_at_s: float | None = None,
        error: dict[str, Any] | None = None,
    ) -> None:
        with self._changed:
            self._state = StateFile(
                state=state,
                generation=self._num_starts,
                endpoint=endpoint,
                keys=self._keys,
                supervisor_id=os.getpid(),
                num_restarts=max(0, self._num_starts - 1),
                retry_at_s=retry_at_s,
                error=error,
            )
            with contextlib.suppress(OSError):  # the folder may have been removed under us; then nobody reads it
                write_file(self.folder / "engine.json", self._state)
            self._changed.notify_all()

    def _beat(self) -> None:
        """Show clients that the supervisor lives."""
        now = time.monotonic()
        if now - self._pulsed >= _PULSE_EVERY_S:
            self._pulsed = now
            with contextlib.suppress(OSError):
                os.utime(self.folder / "engine.json")

    def _sleep(self, seconds: float | None) -> None:
        """Wait, with a pulse, until the time is over or ``stop`` is called."""
        until = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while self._stop_within_s is None and (until is None or time.monotonic() < until):
                left = _PULSE_EVERY_S if until is None else min(_PULSE_EVERY_S, until - time.monotonic())
                self._changed.wait(max(0.0, left))
                self._beat()


def _stderr_descriptor() -> int:
    try:
        return sys.__stderr__.fileno() if sys.__stderr__ else subprocess.DEVNULL
    except (OSError, ValueError):
        return subprocess.DEVNULL


def run_until_signalled(supervisor: Supervisor) -> None:
    """Run a supervisor in the main thread until SIGTERM or SIGINT, then drain. Errors: what the engine failed with."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with supervisor:
        while not stopped.wait(0.2):
            if supervisor.state == "failed":
                supervisor.wait_ready(0)
