"""Which requests were in the engine when it died, and which are not let in again.

Owns: a journal, written through a memory map so that it survives any death of its process, and the list of suspects
that the next process makes of it. Must not know: sockets, what a request says: it knows digests. One thread uses it.

A request that was in the engine at one death is a suspect and runs alone from then on, so that the next death has one
culprit. At two deaths it is poison. A suspect that ends well is cleared.
"""

from __future__ import annotations

import mmap
import time
from pathlib import Path

import msgspec

from kandong.typed_values import from_json

NUM_SLOTS = 256
DIGEST_BYTES = 32
MAX_SUSPECTS = 1024
FORGET_AFTER_S = 24 * 3600.0
DEATHS_OF_POISON = 2
_EMPTY = bytes(DIGEST_BYTES)


class Quarantine:
    """Keeps the journal of this process and the suspects of those before it, in a private folder."""

    def __init__(self, folder: Path) -> None:
        """Read what the last process left behind and begin a new journal."""
        self._suspects_path = folder / "suspects.json"
        journal_path = folder / "journal"
        self._suspects = self._read_suspects()
        if not journal_path.exists():
            journal_path.write_bytes(bytes(NUM_SLOTS * DIGEST_BYTES))
        with journal_path.open("r+b") as file:
            self._journal = mmap.mmap(file.fileno(), NUM_SLOTS * DIGEST_BYTES)
        self._slots: dict[str, int] = {}
        self._free = list(range(NUM_SLOTS))
        found = {self._journal[i : i + DIGEST_BYTES] for i in range(0, len(self._journal), DIGEST_BYTES)} - {_EMPTY}
        for digest in found:
            num_deaths, _ = self._suspects.get(digest.hex(), (0, 0.0))
            self._suspects[digest.hex()] = (num_deaths + 1, time.time())
        # First the suspects, then the journal: dying in between counts a death twice rather than never.
        if found:
            self._write_suspects()
        self._journal[:] = bytes(len(self._journal))

    @property
    def is_full(self) -> bool:
        """Whether no more requests can be in the engine at once."""
        return not self._free

    def num_deaths(self, digest: bytes) -> int:
        """Give at how many deaths of the engine this request was in it."""
        return self._suspects.get(digest.hex(), (0, 0.0))[0]

    def is_poison(self, digest: bytes) -> bool:
        """Whether the request is not to be tried again."""
        return self.num_deaths(digest) >= DEATHS_OF_POISON

    def enter(self, request_id: str, digest: bytes) -> None:
        """Note that a request goes into the engine. Needs ``not is_full``."""
        slot = self._slots[request_id] = self._free.pop()
        self._journal[slot * DIGEST_BYTES : (slot + 1) * DIGEST_BYTES] = digest

    def leave(self, request_id: str, digest: bytes, *, is_cleared: bool) -> None:
        """Note that it came out again; a suspect that ran to its end is cleared by that."""
        slot = self._slots.pop(request_id)
        self._journal[slot * DIGEST_BYTES : (slot + 1) * DIGEST_BYTES] = _EMPTY
        self._free.append(slot)
        if is_cleared and self._suspects.pop(digest.hex(), None) is not None:
            self._write_suspects()

    def close(self) -> None:
        """Give the journal back; whatever is in it is no victim of a death."""
        self._journal[:] = bytes(len(self._journal))
        self._journal.close()

    def _read_suspects(self) -> dict[str, tuple[int, float]]:
        try:
            listed = from_json(self._suspects_path.read_bytes(), dict[str, tuple[int, float]])
        except (OSError, msgspec.MsgspecError):
            return {}
        oldest = time.time() - FORGET_AFTER_S
        return {digest: entry for digest, entry in listed.items() if entry[1] > oldest}

    def _write_suspects(self) -> None:
        newest = sorted(self._suspects.items(), key=lambda item: item[1][1])[-MAX_SUSPECTS:]
        self._suspects = dict(newest)
        draft = self._suspects_path.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(self._suspects))
        draft.replace(self._suspects_path)
