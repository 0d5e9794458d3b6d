"""Prepares OpenVINO GenAI as a peer: an environment of its own, and the checkpoint exported to int8.

``python -m bench.peers.setup_genai CHECKPOINT [--environment DIR] [--export DIR]``; both results are kept, and a
second call finds them. Owns: the peer's pinned packages, the export and when it is out of date.
Must not know: how the peer is measured.

Three things that cost time to find out:

- optimum-intel 2.2 installs beside transformers up to 5.5 but refuses to export Qwen3-VL with more than 5.0.
- It requires torchvision, whose ordinary build does not import beside a CPU build of torch; transformers then fails
  on every vision model, although it works without torchvision. One that does not import is therefore removed.
  Only the video processor is lost by that, which pictures do not need.
- On Linux the ordinary torch brings gigabytes of CUDA. Where pip is set up to find CPU builds (its own settings for
  further indexes or local wheels), the same pin takes them.

The export is what ``--weight-format int8`` gives by default: int8 per output channel, asymmetric for the language
model and symmetric for the vision tower and the embeddings. A symmetric language model (``--sym``) was measured
beside it, alternating: prefill and decoding were the same within the noise.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

CACHE_FOLDER = Path(".cache", "bench")
DEFAULT_ENVIRONMENT = CACHE_FOLDER / "genai-venv"
REQUIREMENTS = (
    "openvino-genai==2026.4.1.*",
    "optimum-intel==2.2.*",
    "nncf==3.4.*",
    "torch==2.13.0",
    "transformers==5.0.*",
    "pillow",
)
_MARK_FILE = "kandong-bench.json"
_FINGERPRINT_BYTES = 1 << 20


def ensure_environment(folder: Path) -> Path:
    """Make the environment unless it is there with the same pins; return its Python.

    Raises subprocess.CalledProcessError if a package cannot be installed.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    mark = {"requirements": list(REQUIREMENTS)}
    if python.exists() and _read_mark(folder) == mark:
        return python
    venv.EnvBuilder(with_pip=True, clear=True).create(folder)
    _run(python, "-m", "pip", "install", "--quiet", *REQUIREMENTS)
    probe = subprocess.run([python, "-c", "import torchvision"], capture_output=True, check=False)
    if probe.returncode != 0:
        _run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "torchvision")
    _run(python, "-c", "from optimum.intel import OVModelForVisualCausalLM; import openvino_genai")
    _write_mark(folder, mark)
    return python


def ensure_export(python: Path, checkpoint: Path, folder: Path) -> Path:
    """Export ``checkpoint`` to OpenVINO with int8 weights unless ``folder`` already holds that; return ``folder``.

    For the 2B this takes a few minutes and several GiB of memory. Raises subprocess.CalledProcessError if the export
    fails, FileNotFoundError if ``checkpoint`` has no ``config.json``.
    """
    mark = {"checkpoint": fingerprint(checkpoint), "requirements": list(REQUIREMENTS)}
    if _read_mark(folder) == mark:
        return folder
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    # The export must not ask a model hub anything: the checkpoint is complete.
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    command = python.with_name("optimum-cli" + python.suffix)
    what = ("--model", str(checkpoint), "--task", "image-text-to-text", "--weight-format", "int8")
    _run(command, "export", "openvino", *what, str(partial), environment=offline)
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


def _run(program: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
    # stdout stays free for this program's own result.
    subprocess.run([program, *arguments], check=True, stdout=sys.stderr, env=environment)


def _read_mark(folder: Path) -> object:
    path = folder / _MARK_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _write_mark(folder: Path, mark: object) -> None:
    (folder / _MARK_FILE).write_text(json.dumps(mark, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; prints the environment's Python and the export folder as one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.setup_genai")
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    parser.add_argument("--environment", type=Path, default=DEFAULT_ENVIRONMENT)
    parser.add_argument("--export", type=Path, default=None, help="default: .cache/bench/genai-NAME-int8")
    options = parser.parse_args(arguments)
    # Not resolved: the link to the base interpreter is what makes a virtual environment.
    python = ensure_environment(options.environment.absolute())
    export = options.export or CACHE_FOLDER / f"genai-{options.checkpoint.resolve().name}-int8"
    folder = ensure_export(python, options.checkpoint, export.absolute())
    print(json.dumps({"python": str(python), "export": str(folder)}))


if __name__ == "__main__":
    main()
