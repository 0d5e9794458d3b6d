"""Keys and values of the language model in blocks of 32 tokens.

Owns: the block tensors of all layers, one allocation of a stated size. Must not know: which block is whose
(``blocks.py``), tokens, scheduling.

    key_cache.i, value_cache.i : (num_blocks, kv_heads, 32, head_dim), one pair a layer
    block table of a sequence  : list of block numbers, the same for every layer
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov

from kandong.errors import ResourceError
from kandong.vlm.attention import BLOCK_TOKENS

_NUMPY_TYPES = {1: np.uint8, 2: np.uint16, 4: np.float32}


def num_blocks_for(num_tokens: int) -> int:
    """Number of blocks that hold so many tokens."""
    return -(-num_tokens // BLOCK_TOKENS)


class KVCache:
    """Block tensors bound to one inference request."""

    def __init__(self, compiled: Any, request: Any) -> None:
        self._request = request
        self._layouts: dict[str, tuple[Any, list[int]]] = {}
        for port in compiled.inputs:
            name = port.get_any_name()
            if name.startswith(("key_cache.", "value_cache.")):
                # The plugin has filled in everything but the number of blocks.
                shape = [dimension.get_length() for dimension in list(port.partial_shape)[1:]]
                self._layouts[name] = (port.element_type, shape)
        self._held: list[Any] = []
        self.num_blocks = 0

    @property
    def block_bytes(self) -> int:
        """Bytes of one block in all layers, keys and values."""
        total = 0
        for element_type, shape in self._layouts.values():
            values = shape[0] * shape[1] * shape[2]
            total += values * element_type.size
        return total

    def reserve(self, num_blocks: int) -> None:
        """Make the tensors, once. The memory is zero, and is taken from the machine as blocks are first written.

        Zero matters: the operator multiplies unused places of a block by zero, and garbage could be NaN.
        Errors: ``ResourceError`` if so much address space cannot be had.
        """
        assert not self.num_blocks, "the KV cache is allocated once"
        try:
            for name, (element_type, shape) in self._layouts.items():
                values = np.zeros([num_blocks, *shape], _NUMPY_TYPES[element_type.size])
                tensor = ov.Tensor(values, ov.Shape([num_blocks, *shape]), element_type)
                self._request.set_tensor(name, tensor)
                # OpenVINO keeps no reference to the array.
                self._held += [values, tensor]
        except (MemoryError, RuntimeError):
            self._held.clear()
            raise ResourceError(
                f"Not enough memory for keys and values of {num_blocks * BLOCK_TOKENS:,} tokens "
                f"({num_blocks * self.block_bytes / 2**30:.1f} GiB).",
                hint="Lower kv_cache_bytes or context_tokens.",
                field="kv_cache_bytes",
            ) from None
        self.num_blocks = num_blocks
