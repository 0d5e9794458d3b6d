"""Which blocks of the KV cache are used by whom, and which hold something worth finding again.

Owns: reference counts, the prefix index (chained hash of everything before and in a block → block), and the order of
eviction. Must not know: tensors, tokens, sequences; a hash is just bytes here.

    free   nobody uses it, nothing in it is findable
    used   one or more sequences have it in their tables; it may be findable as well
    idle   nobody uses it, but it is findable: taken over by a matching prompt, or evicted when blocks run short
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence


class BlockPool:
    """Blocks 0 … ``num_blocks`` - 1. Not thread-safe: the engine's thread owns it."""

    def __init__(self, num_blocks: int, max_idle: int | None = None) -> None:
        """Begin with all blocks free; at most ``max_idle`` stay findable while nobody uses them.

        So what is kept for later takes no more memory than that, while answers may use all blocks there are.
        """
        self.num_blocks = num_blocks
        self._max_idle = num_blocks if max_idle is None else max_idle
        self.num_evicted = 0
        # The end is taken first: low numbers are used again and again, high ones stay untouched memory.
        self._free = list(range(num_blocks - 1, -1, -1))
        self._users = [0] * num_blocks
        self._hash_of: list[bytes | None] = [None] * num_blocks
        self._found_by: dict[bytes, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()

    @property
    def num_available(self) -> int:
        """Blocks that ``allocate`` could give now."""
        return len(self._free) + len(self._idle)

    @property
    def num_idle(self) -> int:
        """Blocks that nobody uses and that could be found again."""
        return len(self._idle)

    def match(self, hashes: Iterable[bytes]) -> list[int]:
        """Take part in the longest run of findable blocks from the first hash on; each counts one more user."""
        found: list[int] = []
        for key in hashes:
            block = self._found_by.get(key)
            if block is None:
                break
            self._idle.pop(block, None)
            self._users[block] += 1
            found.append(block)
        return found

    def count_matching(self, hashes: Iterable[bytes]) -> int:
        """Count what ``match`` would find, without taking it."""
        count = 0
        for key in hashes:
            if key not in self._found_by:
                break
            count += 1
        return count

    def allocate(self, num_blocks: int) -> list[int] | None:
        """Take so many blocks for writing, evicting the longest unused findable ones; ``None`` if there are too few."""
        if num_blocks > self.num_available:
            return None
        return [self._take() for _ in range(num_blocks)]

    def _take(self) -> int:
        if self._free:
            block = self._free.pop()
        else:
            block, _ = self._idle.popitem(last=False)
            self._forget(block)
            self.num_evicted += 1
        self._users[block] = 1
        return block

    def publish(self, block: int, key: bytes) -> None:
        """Make a full block findable. Where another block holds the same already, that one stays the findable one."""
        assert self._users[block] > 0, "only a used block can be published"
        if self._hash_of[block] is None and key not in self._found_by:
            self._hash_of[block] = key
            self._found_by[key] = block

    def release(self, blocks: Sequence[int]) -> None:
        """Leave blocks; what nobody uses any more becomes idle, or free if it is not findable.

        The last block of a chain is the first to be evicted: the ones before it are of use without it.
        """
        for block in reversed(blocks):
            assert self._users[block] > 0, "a block was released twice"
            self._users[block] -= 1
            if self._users[block]:
                continue
            if self._hash_of[block] is None:
                self._free.append(block)
            else:
                self._idle[block] = None
        self._shrink_idle(self._max_idle)

    def forget_idle(self) -> None:
        """Drop everything findable that nobody uses."""
        self._shrink_idle(0)

    def _shrink_idle(self, num_kept: int) -> None:
        while len(self._idle) > num_kept:
            block, _ = self._idle.popitem(last=False)
            self._forget(block)
            self.num_evicted += 1
            self._free.append(block)

    def _forget(self, block: int) -> None:
        key = self._hash_of[block]
        assert key is not None
        del self._found_by[key]
        self._hash_of[block] = None

    def check(self, tables: Iterable[Sequence[int]]) -> None:
        """Raise ``AssertionError`` unless the books agree with the tables of all sequences. For tests."""
        users = [0] * self.num_blocks
        for table in tables:
            assert len(set(table)) == len(table), "a block stands twice in one table"
            for block in table:
                users[block] += 1
        assert users == self._users, "reference counts differ from the tables"
        free, idle = set(self._free), set(self._idle)
        assert len(free) == len(self._free), "a block is free twice"
        unused = {block for block, count in enumerate(users) if not count}
        assert free | idle == unused, "an unused block is neither free nor idle"
        assert not free & idle, "a block is free and idle"
        assert len(idle) <= self._max_idle, "more is kept than may be"
        assert all(self._hash_of[block] is None for block in free), "a free block is findable"
        assert all(self._hash_of[block] is not None for block in idle), "an idle block cannot be found"
        index = {key: block for block, key in enumerate(self._hash_of) if key is not None}
        assert index == self._found_by, "the index differs from the blocks"
