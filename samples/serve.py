"""What `make serve` runs: builds the web page where that is needed and possible, then serves page and API.

Owns: the order of the two. Must not know: how a page is built, the service.
"""

from __future__ import annotations

import sys

from kandong.cli.main import main
from scripts.page_build import PageBuildError, ensure_page, output_folder


def run() -> int:
    """Serve, with the newest page that can be had."""
    try:
        ensure_page()
    except PageBuildError as error:
        has_page = (output_folder() / "index.html").is_file()
        told = "the page as it was built before" if has_page else "the API alone"
        print(f"{error}\nServing {told}.", file=sys.stderr)
    print("Open the address below and choose a sample picture; Ctrl-C ends it.", file=sys.stderr)
    return main(["serve", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(run())
