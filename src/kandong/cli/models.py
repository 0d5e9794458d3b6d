"""``kandong models``: what is on this machine, and copies for another one.

Owns: the subcommands and how they print. Must not know: the format of converted models.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from kandong.cli import options as o
from kandong.cli.output import write_json, write_out

models = typer.Typer(help="List, check, export and remove converted models.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the model or of its folder, as `kandong models list` shows it.")]


@models.command("list")
def list_models(as_json: o.AsJson = False) -> None:
    """List converted models with their size; an empty list says how to fill it."""
    from kandong.runtime.prepared import list_converted

    listed = list_converted()
    if as_json:
        fields = [
            {"name": m.name, "weights": m.weight_type, "bytes": m.num_bytes, "folder": str(m.folder)} for m in listed
        ]
        write_json({"models": fields})
    elif not listed:
        write_out("No model has been converted yet: the first `kandong ask` does it.\n")
    else:
        for m in listed:
            weights = m.weight_type or "damaged"
            write_out(f"{m.name:36} {weights:8} {m.num_bytes / 2**30:6.2f} GiB  {m.folder}\n")


@models.command()
def verify(name: Name) -> None:
    """Compare every byte of a converted model with its sums."""
    from kandong.runtime.prepared import select_converted, verify_model

    for model in select_converted(name):
        verify_model(model.folder)
        write_out(f"{model.folder.name}: intact\n")


@models.command()
def remove(name: Name) -> None:
    """Remove converted models; the originals stay, and are converted again when asked for."""
    from kandong.runtime.prepared import select_converted

    for model in select_converted(name):
        shutil.rmtree(model.folder)
        write_out(f"{model.folder.name}: removed, {model.num_bytes / 2**30:.2f} GiB free\n")


@models.command()
def export(
    directory: Annotated[Path, typer.Argument(help="New folder for the copy.")],
    model: o.Model = None,
    precision: o.PrecisionOption = "auto",
) -> None:
    """Copy a converted model into a folder that is complete in itself, for a machine without network."""
    from kandong.cli.terminal import ProgressLine
    from kandong.runtime.local import precision_of
    from kandong.runtime.prepared import export_model

    with ProgressLine() as line:
        target = export_model(model, directory, precision_of(precision), line.say)
    write_out(f"{target}\n")
