"""Takes the pictures of docs/images: ``python -m scripts.screenshots [--model mini]``.

Owns: the real server around web/scripts/screenshots.mjs. Must not know: what is on the pictures.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.chromium import find_chromium
from scripts.page_build import ROOT, PageBuildError, ensure_page, install_packages
from tests.e2e.real_server import running_server

IMAGES = ROOT / "docs" / "images"


def main(arguments: Sequence[str] | None = None) -> int:
    """Take them all; gives the exit code."""
    parser = argparse.ArgumentParser(description="Take the pictures of docs/images.")
    parser.add_argument("--model", default="mini", help="name or folder of the model that answers [mini]")
    options = parser.parse_args(arguments)
    chromium = find_chromium()
    if chromium is None:
        print("screenshots: Chromium is not installed.", file=sys.stderr)
        return 1
    try:
        install_packages()
        ensure_page()
    except PageBuildError as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, running_server(Path(home), options.model) as url:
        environment = os.environ | {"KANDONG_URL": url, "KANDONG_CHROMIUM": chromium}
        command = ["node", "scripts/screenshots.mjs", str(IMAGES)]
        return subprocess.run(command, cwd=ROOT / "web", env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
