"""The service under waitress, in one process, where gunicorn does not run.

Owns: its settings, and how signals become an orderly end. Must not know: routes, the engine. Waitress reads whole
requests before it takes a thread, so slow clients cost none.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from waitress.server import create_server

from kandong.server.running import Service
from kandong.settings import Settings

_MAX_HEADER_BYTES = 64 * 1024
_MAX_CONNECTIONS = 1_000
_LAST_BYTES_S = 0.3  # what threads have handed over still has to leave


def run_waitress(settings: Settings, listener: socket.socket, say: Callable[[str], None]) -> None:
    """Serve until told to stop."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that threads are busy is no news
    service = Service(settings, say)
    server: Any = create_server(
        service.app,
        sockets=[listener],
        threads=settings.web_threads,
        connection_limit=_MAX_CONNECTIONS,
        channel_timeout=int(settings.read_timeout_s),
        cleanup_interval=1,
        max_request_body_size=settings.max_request_bytes + 2**20,
        max_request_header_size=_MAX_HEADER_BYTES,
        send_bytes=1,
        channel_request_lookahead=1,  # so that it notices when a client is gone
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    threading.Thread(target=server.run, name="waitress", daemon=True).start()
    try:
        _wait_for_signal()
        service.drain()
        time.sleep(_LAST_BYTES_S)
    finally:
        service.close()


def _wait_for_signal() -> None:
    """Wait to be told to stop; being told again ends the process at once."""
    is_stopping = threading.Event()

    def stop(number: int, _: Any) -> None:
        if is_stopping.is_set():
            os._exit(128 + number)
        is_stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while not is_stopping.wait(0.2):  # with a timeout, since on Windows a bare wait hears no signal
        pass
