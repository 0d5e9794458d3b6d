"""Kandong started again: a question about a picture whose features an earlier process left on disk.

Owns: the task ``ask``. Must not know: what it is compared with.
Run: ``python -m bench.peers.ours_restarted CHECKPOINT FEATURES --precision int8``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import kandong
from bench.peers.protocol import Fields, Task, serve_tasks
from bench.workload_runs.subject import ask, load_engine, question, read_picture
from kandong.vlm.device import Precision
from kandong.vlm.engine import Engine


def answer(engine: Engine, picture: Path, prompt: str) -> dict[str, object]:
    """Ask about a picture; gives the first token's time, the tower's stages, and where features came from."""
    asked = ask(engine, question(engine, [read_picture(picture)], prompt))
    return {
        "ms": asked.first_token_ms,
        "num_stages": asked.num_stages,
        "origins": [seen.origin for seen in asked.answer.pictures],
    }


def main() -> None:
    """Load the checkpoint, then answer line by line."""
    parser = argparse.ArgumentParser(description="Kandong started again; speaks JSON lines on stdin and stdout.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("--precision", type=Precision, default=Precision.INT8)
    arguments = parser.parse_args()

    def load() -> tuple[Mapping[str, Task], Mapping[str, str], str]:
        engine = load_engine(arguments.checkpoint, arguments.precision, arguments.features)

        def answer_task(fields: Fields) -> Mapping[str, object]:
            return answer(engine, Path(fields["picture"]), fields["prompt"])

        return {"ask": answer_task}, {"kandong": kandong.__version__}, str(engine.numerics)

    serve_tasks(load)


if __name__ == "__main__":
    main()
