"""What has to be done now and then: purging, sweeping, saving what could not be saved.

Owns: when. Must not know: how any of it is done.
"""

from __future__ import annotations

import logging
import threading
import time

from kandong.errors import KandongError
from kandong.server.generations import Generations
from kandong.store.conversations import Conversations
from kandong.store.files import Files

_LOOK_EVERY_S = 2.0
_PURGE_EVERY_S = 3_600.0
_log = logging.getLogger("kandong.server")


class Housekeeping:
    """One thread. ``start`` it, ``close`` it."""

    def __init__(
        self, conversations: Conversations, files: Files, generations: Generations, look_every_s: float = _LOOK_EVERY_S
    ) -> None:
        self._conversations = conversations
        self._files = files
        self._generations = generations
        self._look_every_s = look_every_s
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> Housekeeping:
        """Sweep up what a crash left, then begin."""
        self._files.media.sweep()
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop, after what is being done. Idempotent."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        purged_at = None
        while not self._is_over.wait(self._look_every_s):
            try:
                self._generations.look_after()
                if purged_at is None or time.monotonic() - purged_at >= _PURGE_EVERY_S:
                    self._conversations.purge()
                    purged_at = time.monotonic()
            except KandongError as error:  # a full disk, most likely; the next turn tries again
                _log.warning("housekeeping: %s", error.message)
