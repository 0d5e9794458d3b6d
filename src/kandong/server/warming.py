"""Looking at uploaded pictures while the question about them is still being typed.

Owns: which warmings are under way, by file. Must not know: HTTP, how the engine orders its work. Thread-safe.

Warming is a courtesy: it runs at the lowest priority, the engine drops it for a question about the same pictures of the
same owner (which takes over what was done), and no failure of it is told to anybody.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict

from kandong.errors import KandongError
from kandong.runtime.handle import Handle
from kandong.server.engine_gate import EngineGate
from kandong.types import Picture
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Deadlines, Priority, Request

_MAX_UNDER_WAY = 32
_MAX_OF_ONE_OWNER = 8
_DEADLINES = Deadlines(total_s=120.0)


class Warmings:
    """Submits warmings and forgets those that are done."""

    def __init__(self, engine: EngineGate) -> None:
        """``engine`` may be missing; then nothing happens."""
        self._engine = engine
        self._lock = threading.Lock()
        self._handles: OrderedDict[tuple[str, str], Handle] = OrderedDict()

    def start(self, owner: str, file_id: str, picture: Picture, *, system: str = "") -> bool:
        """Begin to look at a picture; the oldest of too many stop. Gives whether it was begun.

        ``system`` is the system message that the question will come with: it stands before the picture.
        """
        messages = [Message("system", (TextPart(system),))] if system else []
        messages.append(Message("user", (PicturePart(0),)))
        request = Request(messages, [picture], budget=PixelBudget(), prefill_only=True, deadlines=_DEADLINES)
        try:
            handle = self._engine.submit(request, client=owner, priority=Priority.WARM_UP)
        except KandongError:
            return False
        with self._lock:
            self._handles[owner, file_id] = handle
            surplus = self._surplus(owner)
        for unwanted in surplus:
            unwanted.cancel()
        return True

    def stop(self, owner: str, file_id: str) -> None:
        """Stop looking at a file that is no longer wanted."""
        with self._lock:
            handle = self._handles.pop((owner, file_id), None)
        if handle is not None:
            handle.cancel()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all are done; gives whether they are."""
        with self._lock:
            handles = list(self._handles.values())
        for handle in handles:
            with contextlib.suppress(KandongError):
                try:
                    handle.result(timeout_s)
                except TimeoutError:
                    return False
        return True

    def _surplus(self, owner: str) -> list[Handle]:
        for key in [key for key, handle in self._handles.items() if handle.is_done]:
            del self._handles[key]
        mine = [key for key in self._handles if key[0] == owner]
        keys = mine[: max(0, len(mine) - _MAX_OF_ONE_OWNER)]
        others = [key for key in self._handles if key not in keys]
        keys += others[: max(0, len(others) - _MAX_UNDER_WAY)]
        return [self._handles.pop(key) for key in keys]
