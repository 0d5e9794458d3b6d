"""Prepares transformers on torch as a peer: an environment of its own. It reads the checkpoint as it is.

Owns: the peer's pinned packages. Must not know: how the peer is measured.
"""

from __future__ import annotations

from pathlib import Path

from bench.peers.environments import ensure_environment, run

# sentencepiece is for llama.cpp's converter, which runs here too, as it needs torch and transformers.
REQUIREMENTS = ("torch==2.13.0", "transformers==5.23.0", "pillow", "sentencepiece")


def set_up(home: Path, checkpoint: Path) -> None:
    """Make the environment. Raises subprocess.CalledProcessError if a package cannot be installed."""
    del checkpoint
    make_environment(home)


def make_environment(home: Path) -> Path:
    """Make the environment unless it is there; return its Python."""
    return ensure_environment(
        home / "transformers" / "env",
        REQUIREMENTS,
        lambda python: run(python, "-c", "from transformers import Qwen3VLForConditionalGeneration"),
    )
