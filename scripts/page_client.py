"""Writes the page's types from the server's own description of its routes: ``python -m scripts.page_client``.

Owns: running openapi-typescript over the OpenAPI document. Must not know: routes, the page. ``--check`` only compares.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kandong.server.app import all_routes
from kandong.server.openapi import openapi_document
from scripts.page_build import ROOT, PageBuildError, install_packages, node_problem

SCHEMA = ROOT / "web" / "src" / "api" / "schema.ts"
_GENERATOR = ROOT / "web" / "node_modules" / "openapi-typescript" / "bin" / "cli.js"


def page_types() -> str:
    """Give the text of ``web/src/api/schema.ts``. Errors: ``PageBuildError``."""
    if problem := node_problem():
        raise PageBuildError(f"The types cannot be written: {problem}.")
    install_packages()
    with tempfile.TemporaryDirectory() as folder:
        document, types = Path(folder) / "openapi.json", Path(folder) / "schema.ts"
        document.write_text(json.dumps(openapi_document(all_routes().all)), "utf-8")
        command = ["node", str(_GENERATOR), str(document), "--output", str(types)]
        run = subprocess.run(command, cwd=ROOT / "web", capture_output=True, text=True, check=False)
        if run.returncode:
            raise PageBuildError(f"openapi-typescript failed: {run.stderr.strip()}")
        return types.read_text("utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write, or compare; gives the exit code."""
    parser = argparse.ArgumentParser(description="Write the page's types from the server's routes.")
    parser.add_argument("--check", action="store_true", help="only say whether they are fresh")
    options = parser.parse_args(arguments)
    try:
        types = page_types()
    except PageBuildError as error:
        print(f"client: {error}", file=sys.stderr)
        return 1
    if not options.check:
        SCHEMA.write_text(types, "utf-8")
    elif not SCHEMA.is_file() or SCHEMA.read_text("utf-8") != types:
        print("client: web/src/api/schema.ts is not of these routes; run `make client`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
