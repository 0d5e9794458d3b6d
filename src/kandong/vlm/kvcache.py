"""Keys and values of the language model in blocks of 32 tokens.

Owns: the block tensors of all layers, and which blocks are free. Must not know: tokens, prompts, scheduling.

    key_cache.i, value_cache.i : (num_blocks, kv_heads, 32, head_dim), one pair a layer, allocated here
    block table of a sequence  : list of block numbers, the same for every layer
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov

from kandong.errors import ResourceError
from kandong.vlm.attention import BLOCK_TOKENS


def num_blocks_for(num_tokens: int) -> int:
    """Number of blocks that hold so many tokens."""
    return -(-num_tokens // BLOCK_TOKENS)


class KVCache:
    """Block tensors bound to one inference request, and a free list over them."""

    def __init__(self, compiled: Any, request: Any) -> None:
        self._request = request
        self._layouts: dict[str, tuple[Any, list[int]]] = {}
        for port in compiled.inputs:
            name = port.get_any_name()
            if name.startswith(("key_cache.", "value_cache.")):
                # The plugin has filled in everything but the number of blocks.
                shape = [dimension.get_length() for dimension in list(port.partial_shape)[1:]]
                self._layouts[name] = (port.element_type, shape)
        self._free: list[int] = []
        self.num_blocks = 0

    @property
    def block_bytes(self) -> int:
        """Bytes of one block in all layers, keys and values."""
        total = 0
        for element_type, shape in self._layouts.values():
            values = shape[0] * shape[1] * shape[2]
            total += values * element_type.size
        return total

    def resize(self, num_blocks: int) -> None:
        """Allocate ``num_blocks`` blocks anew; every block must be free. Errors: ``ResourceError``."""
        assert len(self._free) == self.num_blocks, "resize while blocks are in use"
        try:
            for name, (element_type, shape) in self._layouts.items():
                tensor = ov.Tensor(element_type, ov.Shape([num_blocks, *shape]))
                # The operator multiplies unused places by zero, and garbage could be NaN.
                tensor.data.view(np.uint8)[...] = 0
                self._request.set_tensor(name, tensor)
        except (MemoryError, RuntimeError):
            needed_gib = num_blocks * self.block_bytes / 2**30
            raise ResourceError(
                f"Not enough memory for the keys and values of {num_blocks * BLOCK_TOKENS:,} tokens "
                f"({needed_gib:.1f} GiB).",
                hint="Use fewer or smaller pictures, a shorter text, or a smaller max_tokens.",
            ) from None
        self.num_blocks = num_blocks
        self._free = list(range(num_blocks - 1, -1, -1))

    def allocate(self, num_blocks: int) -> list[int]:
        """Take blocks from the free list, which must hold enough."""
        assert num_blocks <= len(self._free), "allocate beyond the free blocks"
        return [self._free.pop() for _ in range(num_blocks)]

    def release(self, blocks: list[int]) -> None:
        """Give blocks back."""
        assert not set(blocks) & set(self._free), "a block was released twice"
        self._free.extend(reversed(blocks))

    @property
    def num_free(self) -> int:
        """Number of free blocks."""
        return len(self._free)
