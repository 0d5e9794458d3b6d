"""The service under gunicorn: one parent that watches, one worker with many threads.

Owns: how the worker reads from clients, how signals become an orderly end, and that no process is left behind.
Must not know: routes, the engine.

Three things are other than in gunicorn's own threaded worker. A connection takes a thread only once its first bytes are
there, and bytes that come too slowly end it. Probes (``/healthz``, ``/readyz``) have threads of their own, so that they
are answered whatever the others do. SIGTERM first lets running answers end while new work is refused; a second signal
ends everything at once.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent import futures
from functools import partial
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import TConn, ThreadWorker

from kandong.runtime.parent_watch import watch_parent_number
from kandong.server.running import Service
from kandong.server.slow_clients import READERS
from kandong.settings import Settings

_PROBES = (b"GET /healthz", b"GET /readyz", b"HEAD /healthz", b"HEAD /readyz")
_PROBE_THREADS = 2
_KEEPALIVE_S = 15
_HUNG_AFTER_S = 60
_END_S = 3
_MAX_CONNECTIONS = 2_000


class _Connection(TConn):  # type: ignore[misc]
    """A connection whose reading is timed."""

    def init(self) -> None:
        super().init()
        READERS.begin(self.sock)


class KandongWorker(ThreadWorker):  # type: ignore[misc]
    """The web process."""

    service: Service

    def init_process(self) -> None:
        """Begin, in the forked process."""
        self._probes = futures.ThreadPoolExecutor(_PROBE_THREADS, thread_name_prefix="probe")
        self._is_ending = False
        super().init_process()

    def init_signals(self) -> None:
        """Let Ctrl-C, which reaches the whole group, be as orderly as SIGTERM."""
        super().init_signals()
        signal.signal(signal.SIGINT, self.handle_exit)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin the orderly end; accepting goes on meanwhile, so that new work hears why it is refused."""
        if not self._is_ending:
            self._is_ending = True
            threading.Thread(target=self._end, args=(sig, frame), name="drain", daemon=True).start()

    def _end(self, sig: int, frame: Any) -> None:
        self.service.drain()
        super().handle_exit(sig, frame)

    def accept(self, listener: Any) -> None:
        """Take a connection, and wait for its first bytes without a thread."""
        try:
            client, address = listener.accept()
        except OSError:
            return
        self.nr_conns += 1
        connection = _Connection(self.cfg, client, address, listener.getsockname())
        connection.timeout = time.monotonic() + _KEEPALIVE_S
        self.pending_conns.append(connection)
        self.poller.register(client, selectors.EVENT_READ, partial(self.on_pending_socket_readable, connection))

    def enqueue_req(self, conn: Any) -> None:
        """Give a readable connection a thread."""
        pool = self._probes if _is_probe(conn) else self.tpool
        future = pool.submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Put a connection back, or close it."""
        READERS.end(conn.sock)
        super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """End connections that say nothing, and those that say it too slowly."""
        super().murder_pending()
        READERS.stop_slow()


def _is_probe(connection: Any) -> bool:
    """Look at the first bytes without taking them."""
    try:
        connection.sock.setblocking(False)
        head = connection.sock.recv(max(map(len, _PROBES)), socket.MSG_PEEK)
    except OSError:
        return False
    return bool(head.startswith(_PROBES))


class _Parent(Arbiter):  # type: ignore[misc]
    """The watching process."""

    _num_signals = 0

    def signal(self, sig: int, frame: Any) -> None:
        """Note a signal; the second one to stop ends all at once."""
        if sig in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            self._num_signals += 1
            if self._num_signals > 1:
                for process_id in self.WORKERS:
                    os.kill(process_id, signal.SIGKILL)
                os._exit(128 + sig)
        super().signal(sig, frame)

    def handle_int(self) -> None:
        """As SIGTERM: the first Ctrl-C lets running answers end."""
        raise StopIteration

    handle_hup = handle_int  # the terminal is gone

    def _ignore(self) -> None:
        """There is one worker, which writes alone: gunicorn's signals for more, fewer or newer ones do nothing."""

    handle_ttin = handle_ttou = handle_usr1 = handle_usr2 = handle_winch = _ignore


class _Application(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings, listener: socket.socket, say: Callable[[str], None]) -> None:
        self._settings, self._listener, self._say = settings, listener, say
        super().__init__(prog="kandong")

    def load_config(self) -> None:
        settings = self._settings
        READERS.timeout_s = settings.read_timeout_s
        options = {
            "bind": f"fd://{os.dup(self._listener.fileno())}",
            "workers": 1,
            "threads": settings.web_threads,
            "worker_class": KandongWorker,
            "worker_connections": _MAX_CONNECTIONS,
            "keepalive": _KEEPALIVE_S,
            "timeout": _HUNG_AFTER_S,
            "graceful_timeout": int(settings.drain_s) + 2 * _END_S + 2,
            "control_socket_disable": True,
            "loglevel": "warning",
            "proc_name": "kandong",
            "post_fork": _after_fork,
            "worker_exit": _at_exit,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Open everything; called in the worker, after the fork."""
        KandongWorker.service = Service(self._settings, self._say)
        return KandongWorker.service.app

    def run(self) -> None:
        _Parent(self).run()


def _after_fork(_: Any, worker: Any) -> None:
    watch_parent_number(worker.ppid)


def _at_exit(_: Any, worker: Any) -> None:
    if (service := getattr(worker, "service", None)) is not None:
        service.close()


def run_gunicorn(settings: Settings, listener: socket.socket, say: Callable[[str], None]) -> None:
    """Serve until told to stop; ends by ``SystemExit``."""
    _Application(settings, listener, say).run()
