"""How much memory and disk a model takes.

Owns: the formulas, and the sizes of the models that have short names. Must not know: the machine, where models lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from kandong.vlm.checkpoint import expected_tensors
from kandong.vlm.config import ModelConfig

GIB = 2**30


@dataclass(frozen=True)
class ModelSize:
    """``num_parameters`` in all, ``num_table_values`` of them in the embedding table."""

    num_parameters: int
    num_table_values: int

    @property
    def download_bytes(self) -> int:
        """Size of the original: two bytes a parameter."""
        return 2 * self.num_parameters

    @property
    def int8_bytes(self) -> int:
        """Size of the weights that ``auto`` makes: a byte a parameter, and the table once more in two bytes a value."""
        return self.num_parameters + 2 * self.num_table_values

    @property
    def conversion_bytes(self) -> int:
        """Room that a conversion to int8 wants on the disk, with a tenth to spare."""
        return self.int8_bytes * 11 // 10


# Counted from the published configurations by ``size_of``; a table has 151,936 rows of hidden_size values.
KNOWN_SIZES = {
    "Qwen/Qwen3-VL-2B-Instruct": ModelSize(2_127_532_032, 151_936 * 2048),
    "Qwen/Qwen3-VL-4B-Instruct": ModelSize(4_437_815_808, 151_936 * 2560),
    "Qwen/Qwen3-VL-8B-Instruct": ModelSize(8_767_123_696, 151_936 * 4096),
}


def size_of(config: ModelConfig) -> ModelSize:
    """Count the parameters of a model."""
    num_parameters = sum(prod(shape) for shape in expected_tensors(config).values())
    return ModelSize(num_parameters, config.text.vocab_size * config.text.hidden_size)


def needed_memory_bytes(weights_bytes: int) -> int:
    """Estimate the memory in which a model loads and answers about a picture of 1024×1024 pixels.

    The weights and 15 % of them for what grows with a model (keys and values, a layer's work space), and 0.6 GiB for
    what hardly does. 2B in int8 comes to 3.5 GiB; 3.6 GiB were measured (docs/experiments.md).
    """
    return weights_bytes * 115 // 100 + 6 * GIB // 10
