"""Who is measured: each peer's command, what it needs on disk and in memory, which pictures it is asked about.

Owns: the list. Must not know: how a peer is set up inside, or how numbers are compared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.home import environment_python
from bench.peers.setup_llama_cpp import MODEL_FILE, PROJECTOR_FILE

REFERENCE = "kandong-bf16"


@dataclass(frozen=True)
class PeerSpec:
    """A peer. ``memory_gib`` is what it was seen to take at its peak, for deciding who runs side by side."""

    key: str
    title: str
    module: str
    arguments: Callable[[Path, Path], list[str]]
    memory_gib: float
    environment: str | None = None
    setup: str | None = None
    sides_px: tuple[int, ...] = (512, 1024)
    is_default: bool = True
    note: str = ""

    def python(self, home: Path) -> Path:
        """Give the Python that runs it: this one for Kandong."""
        return Path(sys.executable) if self.environment is None else environment_python(home / self.environment)

    def command(self, home: Path, checkpoint: Path) -> list[str]:
        """Give the command of its measuring process."""
        return [str(self.python(home)), "-m", self.module, *self.arguments(home, checkpoint)]

    def missing(self, home: Path, checkpoint: Path) -> Path | None:
        """Give the first file or folder that is not there, None if it can be measured."""
        needed = [self.python(home), *map(Path, filter(_is_path, self.arguments(home, checkpoint)))]
        return next((path for path in needed if not path.exists()), None)

    def model_folder(self, home: Path, checkpoint: Path) -> Path:
        """Give the folder whose files it reads at its start."""
        if self.environment is None:
            return home / "kandong"
        first = Path(self.arguments(home, checkpoint)[0])
        return first if first.is_dir() else first.parent


def _is_path(argument: str) -> bool:
    return Path(argument).is_absolute()


def _gguf(home: Path, checkpoint: Path) -> list[str]:
    folder = home / "llama.cpp" / f"{checkpoint.name}-gguf"
    return [str(folder / MODEL_FILE), str(folder / PROJECTOR_FILE), "--flash", "on"]


def _export(home: Path, checkpoint: Path, *properties: str) -> list[str]:
    return [str(home / "genai" / f"{checkpoint.name}-int8"), *(f"--property={value}" for value in properties)]


PEERS = (
    PeerSpec(
        key=REFERENCE,
        title="Kandong int8, bf16 compute",
        module="bench.peers.ours",
        arguments=lambda _, checkpoint: [str(checkpoint), "--compute", "bf16"],
        memory_gib=4.0,
    ),
    PeerSpec(
        key="kandong-f32",
        title="Kandong int8, f32 compute",
        module="bench.peers.ours",
        arguments=lambda _, checkpoint: [str(checkpoint), "--compute", "f32"],
        memory_gib=4.0,
    ),
    PeerSpec(
        key="genai",
        title="OpenVINO GenAI int8",
        module="bench.peers.genai",
        arguments=_export,
        memory_gib=7.0,
        environment="genai/env",
        setup="genai",
    ),
    PeerSpec(
        key="genai-f32",
        title="OpenVINO GenAI int8, f32 compute",
        module="bench.peers.genai",
        arguments=lambda home, checkpoint: _export(home, checkpoint, "INFERENCE_PRECISION_HINT=f32"),
        memory_gib=7.0,
        environment="genai/env",
        setup="genai",
        is_default=False,
    ),
    PeerSpec(
        key="llama.cpp",
        title="llama.cpp Q8_0",
        module="bench.peers.llama_cpp_python",
        arguments=_gguf,
        memory_gib=4.0,
        environment="llama.cpp/env",
        setup="llama.cpp",
    ),
    PeerSpec(
        key="transformers-bf16",
        title="transformers bf16",
        module="bench.peers.transformers_torch",
        arguments=lambda _, checkpoint: [str(checkpoint), "--dtype", "bf16"],
        memory_gib=6.5,
        environment="transformers/env",
        setup="transformers",
        sides_px=(512,),
        note="asked about 512×512 only, to keep the run short",
    ),
    PeerSpec(
        key="transformers-f32",
        title="transformers f32",
        module="bench.peers.transformers_torch",
        arguments=lambda _, checkpoint: [str(checkpoint), "--dtype", "f32"],
        memory_gib=10.5,
        environment="transformers/env",
        setup="transformers",
        sides_px=(512,),
        note="asked about 512×512 only, to keep the run short",
    ),
)
