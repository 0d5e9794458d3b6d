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
        self._tensors: dict[str, Any] = {}
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

    def ensure_free(self, num_blocks: int, max_blocks: int) -> None:
        """Have so many blocks free, growing the tensors if need be; what is in use keeps its numbers and content.

        Growth doubles, up to ``max_blocks`` or what is needed, so that few answers pay for the copy.
        Errors: ``ResourceError`` if memory does not suffice; then everything is as before.
        """
        missing = num_blocks - len(self._free)
        if missing <= 0:
            return
        total = max(self.num_blocks + missing, min(2 * self.num_blocks, max_blocks))
        try:
            grown = {name: self._grown(name, total) for name in self._layouts}
        except (MemoryError, RuntimeError):
            raise ResourceError(
                f"Not enough memory for the keys and values of {total * BLOCK_TOKENS:,} tokens "
                f"({total * self.block_bytes / 2**30:.1f} GiB).",
                hint="Use fewer or smaller pictures, a shorter text, or a smaller max_tokens.",
            ) from None
        for name, tensor in grown.items():
            self._request.set_tensor(name, tensor)
        self._tensors = grown
        self._free = [*range(total - 1, self.num_blocks - 1, -1), *self._free]
        self.num_blocks = total

    def _grown(self, name: str, num_blocks: int) -> Any:
        element_type, shape = self._layouts[name]
        tensor = ov.Tensor(element_type, ov.Shape([num_blocks, *shape]))
        # One row of bytes a block: numpy lacks some of the element types.
        content = tensor.data.view(np.uint8).reshape(num_blocks, -1)
        if self.num_blocks:
            content[: self.num_blocks] = self._tensors[name].data.view(np.uint8).reshape(self.num_blocks, -1)
        # The operator multiplies unused places by zero, and garbage could be NaN.
        content[self.num_blocks :] = 0
        return tensor

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
