"""``kandong pull [MODEL]``: bring a model onto this machine.

Owns: the arguments, and what a person sees meanwhile. Must not know: hubs, files, HTTP.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from kandong.cli import options as o
from kandong.cli.output import write_json, write_out
from kandong.errors import KandongError

if TYPE_CHECKING:
    from kandong.models.pull import Pulled


def pull(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="2b, 4b, 8b or OWNER/NAME. Default: Qwen/Qwen3-VL-2B-Instruct."),
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            metavar="auto|modelscope|hf|URL|PATH",
            help="Where from: a hub (auto: whichever answers first), the address of a folder, or a folder here.",
        ),
    ] = "auto",
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit id at the hub; default: the main branch.")
    ] = None,
    as_json: o.AsJson = False,
) -> None:
    """Fetch a model, check every file, and print its folder.

    An interrupted pull goes on where it stopped. A model that is there already is checked, without the network. The
    hubs' variables are followed: HF_ENDPOINT, HF_TOKEN, MODELSCOPE_ENDPOINT, MODELSCOPE_API_TOKEN, HTTPS_PROXY.
    """
    try:
        pulled = _pull(model, source, revision)
    except KandongError as error:
        if as_json:
            write_json({"error": error.to_dict()})
        raise
    except KeyboardInterrupt:
        print("What was fetched is kept; the same command goes on from there.", file=sys.stderr)
        raise
    if as_json:
        write_json(
            {
                "model": pulled.model,
                "folder": str(pulled.folder),
                "source": pulled.source,
                "revision": pulled.revision,
                "num_files": pulled.num_files,
                "bytes": pulled.size_bytes,
            }
        )
    else:
        write_out(f"{pulled.folder}\n")


def _pull(model: str | None, source: str, revision: str | None) -> Pulled:
    # Imported here: the HTTP library takes a moment that --help and ask need not wait for.
    from kandong.cli.pull_progress import PullProgress
    from kandong.models import pull as pulling

    with PullProgress() as progress:
        pulled = pulling.pull(model, source, revision, progress)
    if not pulled.num_fetched_bytes:
        print(f"{pulled.model} is there already: all {pulled.num_files} files are right.", file=sys.stderr)
    return pulled
