"""Prepares OpenVINO GenAI as a peer: an environment of its own, and the checkpoint exported to int8.

Owns: the peer's pinned packages and the export. Must not know: how the peer is measured.

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

import subprocess
from pathlib import Path

from bench.peers.environments import ensure_environment, ensure_result, fingerprint, offline, run

REQUIREMENTS = (
    "openvino-genai==2026.4.1.*",
    "optimum-intel==2.2.*",
    "nncf==3.4.*",
    "torch==2.13.0",
    "transformers==5.0.*",
    "pillow",
)


def set_up(home: Path, checkpoint: Path) -> None:
    """Make the environment and the export, a few minutes and several GiB of memory for the 2B.

    Raises subprocess.CalledProcessError if a step fails.
    """
    python = ensure_environment(home / "genai" / "env", REQUIREMENTS, _finish)

    def export(target: Path) -> None:
        what = ("--model", checkpoint, "--task", "image-text-to-text", "--weight-format", "int8")
        run(python.with_name("optimum-cli" + python.suffix), "export", "openvino", *what, target, environment=offline())

    mark = {"checkpoint": fingerprint(checkpoint), "requirements": list(REQUIREMENTS)}
    ensure_result(home / "genai" / f"{checkpoint.name}-int8", mark, export)


def _finish(python: Path) -> None:
    probe = subprocess.run([python, "-c", "import torchvision"], capture_output=True, check=False)
    if probe.returncode != 0:
        run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "torchvision")
    run(python, "-c", "from optimum.intel import OVModelForVisualCausalLM; import openvino_genai")
