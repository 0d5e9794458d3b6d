"""Environments of peers: made once from the package index, with pinned packages, and found again.

Owns: when an environment or a result made with it is out of date. Must not know: any peer.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.home import environment_python

_MARK_FILE = "kandong-bench.json"
_FINGERPRINT_BYTES = 1 << 20


def ensure_environment(
    folder: Path,
    requirements: Sequence[str],
    finish: Callable[[Path], None] = lambda _: None,
    *,
    environment_variables: Mapping[str, str] | None = None,
) -> Path:
    """Make the environment unless it is there with the same pins; return its Python.

    ``finish`` is called with the Python of a new one, to install what pins cannot say and to try an import.
    ``environment_variables`` are set while packages are built.
    Raises subprocess.CalledProcessError if a package cannot be installed.
    """
    python = environment_python(folder)
    mark = {"requirements": list(requirements)}
    if python.exists() and _read_mark(folder) == mark:
        return python
    venv.EnvBuilder(with_pip=True, clear=True).create(folder)
    run(python, "-m", "pip", "install", "--quiet", *requirements, environment=environment_variables)
    finish(python)
    _write_mark(folder, mark)
    return python


def ensure_result(folder: Path, mark: Mapping[str, object], make: Callable[[Path], None]) -> Path:
    """Have ``make`` fill a folder unless it was made from the same things before; it appears whole or not at all."""
    if _read_mark(folder) == mark:
        return folder
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    make(partial)
    _write_mark(partial, mark)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def fingerprint(checkpoint: Path) -> str:
    """Give a SHA-256 over name, size and first MiB of every JSON and safetensors file of a checkpoint.

    Raises FileNotFoundError if the folder has no ``config.json``.
    """
    if not (checkpoint / "config.json").is_file():
        raise FileNotFoundError(f"no config.json in {checkpoint}")
    digest = hashlib.sha256()
    for path in sorted([*checkpoint.glob("*.json"), *checkpoint.glob("*.safetensors")]):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_FINGERPRINT_BYTES))
    return digest.hexdigest()


def run(program: Path, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a program; what it prints goes to stderr, as stdout is for results. Raises CalledProcessError."""
    subprocess.run([program, *arguments], check=True, stdout=sys.stderr, env={**os.environ, **(environment or {})})


def offline() -> dict[str, str]:
    """Give settings under which no library asks a model hub anything: the checkpoint is complete."""
    return {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def _read_mark(folder: Path) -> object:
    path = folder / _MARK_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _write_mark(folder: Path, mark: Mapping[str, object]) -> None:
    (folder / _MARK_FILE).write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8")
