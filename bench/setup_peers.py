"""Sets up what Kandong is measured beside: each peer in an environment of its own, from the package index alone.

Run: ``python -m bench.setup_peers genai|llama.cpp|transformers|all``. What is there already is kept. Owns: the
command line. Must not know: how a peer is made.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.home import bench_home
from bench.peers import setup_genai, setup_llama_cpp, setup_transformers

SETUPS: dict[str, Callable[[Path, Path], None]] = {
    "genai": setup_genai.set_up,
    "llama.cpp": setup_llama_cpp.set_up,
    "transformers": setup_transformers.set_up,
}


def ensure_checkpoint(folder: Path) -> Path:
    """Write a checkpoint of random weights unless it is there; ``config.json`` comes last, so a half one is not."""
    if not (folder / "config.json").is_file():
        print(f"writing random weights of 2B shapes: {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "bench.random_checkpoint", str(folder)], check=True, stdout=sys.stderr)
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up the peers that are named; gives the exit code, 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.setup_peers", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "peers", nargs="+", choices=[*SETUPS, "all"], metavar="PEER", help=f"{', '.join(SETUPS)} or all"
    )
    options = parser.parse_args(arguments)
    home = bench_home()
    home.mkdir(parents=True, exist_ok=True)
    checkpoint = ensure_checkpoint(home / "random-2b")
    failed = []
    for name in SETUPS if "all" in options.peers else options.peers:
        since = time.monotonic()
        print(f"{name}: setting up in {home}", file=sys.stderr)
        try:
            SETUPS[name](home, checkpoint)
        except subprocess.CalledProcessError as error:
            # What went wrong stands above, in the tool's own words; the other peers can still be had.
            failed.append(name)
            print(f"{name}: failed, {Path(error.cmd[0]).name} ended with code {error.returncode}", file=sys.stderr)
            continue
        print(f"{name}: ready after {time.monotonic() - since:.0f} s", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
