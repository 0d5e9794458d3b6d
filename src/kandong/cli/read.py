"""``kandong read IMAGE...``: every word, code and number in pictures.

Owns: the arguments and how a reading looks. Must not know: how reading works.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kandong.cli import options as o
from kandong.cli.judging import Asked, judge, print_each
from kandong.cli.output import write_error, write_json, write_out
from kandong.cli.tasks import Out, Prompts
from kandong.errors import InputError, KandongError, PictureError

if TYPE_CHECKING:
    from kandong.reading.report import ImageReading
    from kandong.tasks.read import FileReading


def read(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Picture files or folders of them; '-' reads one picture from stdin."),
    ],
    annotate: Annotated[
        str | None,
        typer.Option(
            "--annotate",
            metavar="PATH",
            help="Write the picture with its boxes, numbered as the lines are: a .png, .jpg or .webp file for one "
            "picture, a folder for several.",
        ),
    ] = None,
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            help="fast: OCR alone. auto: the model reads uncertain lines and numbers once more. model: whole pictures.",
        ),
    ] = "fast",
    model: o.Model = None,
    prompts: Prompts = None,
    precision: o.PrecisionOption = "auto",
    threads: o.Threads = None,
    out: Out = None,
    plain: Annotated[bool, typer.Option("--plain", help="Print only the text, without numbers and marks.")] = False,
    as_json: o.AsJson = False,
) -> None:
    """Read every word in pictures, with places; QR and bar codes; needs no model, unless --mode asks for it.

    Prints the lines in reading order: number, confidence, text; '?' marks a line that is not sure. Text that reads like
    an instruction to a model is marked. With --json: one object for each file, one a line, as soon as it is read, with
    boxes in pixels, characters, codes and corrections; a file that cannot be read gives an object with "error".

    With --mode auto or model, '=' marks a line that the model reads alike and '!' one that it reads otherwise; both
    readings are shown.

    Exit code 0 if all files were read, 3 if any could not be; the others are read all the same.
    """
    try:
        if mode == "fast" and out is None:
            num_failed = _read(images, annotate, plain=plain, as_json=as_json)
        else:
            num_failed = _read_with_tasks(dict(locals()))
    except KandongError as error:
        if as_json:
            write_json({"error": error.to_dict()})
        raise
    if num_failed:
        raise typer.Exit(PictureError.exit_code)


def _read_with_tasks(values: dict[str, Any]) -> int:
    """Read with the model as the mode says, or into a table; gives the number of files that could not be read."""
    if values["annotate"] is not None or values["plain"]:
        raise InputError("--annotate and --plain go with --mode fast and without --out.", field="mode")
    asked = Asked(
        images=values["images"],
        out=values["out"],
        as_json=values["as_json"],
        prompts=values["prompts"],
        use_model=values["mode"] != "fast",
        loading={"model": values["model"], "precision": values["precision"], "num_threads": values["threads"]},
        options={"mode": values["mode"]},
    )
    return sum(post.report is None for post in print_each("read", asked, judge("read", asked)))


def _read(images: list[str], annotate: str | None, *, plain: bool, as_json: bool) -> int:
    """Read and print; gives the number of files that could not be read."""
    # Imported here: loading OpenVINO takes a moment that --help need not wait for.
    from kandong.cli.batch_progress import BatchProgress
    from kandong.tasks.read import STDIN, picture_files, read_files

    files = picture_files(images)
    targets = annotation_targets(annotate, files)
    stdin = sys.stdin.buffer.read() if STDIN in files else None
    num_failed = 0
    with BatchProgress("reading", len(files)) as progress:
        for number, result in enumerate(read_files(files, stdin)):
            progress.advance(result.name)
            if result.error is not None:
                num_failed += 1
                write_error(result.error)
            if as_json:
                write_json(result.to_dict())
            elif result.reading is not None:
                title = f"{_clean(result.name)}\n" if len(files) > 1 else ""
                write_out(title + (_plain(result.reading) if plain else _table(result.reading)))
            if targets:
                _annotate(result, targets[number])
    return num_failed


def annotation_targets(annotate: str | None, files: list[str]) -> list[Path]:
    """Choose for each file where its annotated picture goes; an empty list without the option.

    Errors: ``InputError`` for one file name and several pictures, for a folder that cannot be made, and where a picture
    would be written over itself.
    """
    if annotate is None:
        return []
    target = Path(annotate)
    if target.suffix and not target.is_dir():
        if len(files) > 1:
            raise InputError(
                f"--annotate {annotate} is one file, for {len(files)} pictures.",
                hint="Name a folder instead.",
                field="annotate",
            )
        targets = [target]
    else:
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError:
            raise InputError(f"The folder {annotate} cannot be made.", field="annotate") from None
        targets = [target / f"{number:04}-{_stem(name)}.png" for number, name in enumerate(files, start=1)]
    for name, path in zip(files, targets, strict=True):
        if path.exists() and Path(name).exists() and path.samefile(name):
            raise InputError(f"{path} would be written over itself.", hint="Name another file.", field="annotate")
    return targets


def _stem(name: str) -> str:
    return "stdin" if name == "-" else Path(name).stem


def _annotate(result: FileReading, path: Path) -> None:
    from kandong.tasks.annotate import annotated, save_annotated

    if result.reading is None or result.picture is None:
        return
    outlines = [(line.id.removeprefix("L"), line.corners, line.low_conf) for line in result.reading.lines]
    for number, code in enumerate(result.reading.codes, start=1):
        x0, y0, x1, y1 = code.box
        outlines.append((f"Q{number}", ((x0, y0), (x1, y0), (x1, y1), (x0, y1)), False))
    save_annotated(annotated(result.picture, outlines), path)


def _table(reading: ImageReading) -> str:
    instructions = {mark.line_id for mark in reading.injection}
    struck = {number.line_id: number.number.raw for number in reading.numbers if number.is_struck}
    rows = []
    for line in reading.lines:
        note = "  [reads like an instruction to a model]" if line.id in instructions else ""
        note += f"  [struck through: {_clean(struck[line.id])}]" if line.id in struck else ""
        doubt = "?" if line.low_conf else " "
        rows.append(f"{line.id:>5}  {line.conf:.2f}{doubt} {_clean(line.text)}{note}")
    for number, code in enumerate(reading.codes, start=1):
        host = f" → {code.host}" if code.host else ""
        rows.append(f"{f'Q{number}':>5}  {_clean(code.type)}{host}: {_clean(code.text)}")
    if not rows:
        rows.append("no text found")
    if reading.rotated_degrees:
        rows.append(f"note: the picture was turned by {reading.rotated_degrees}° to be read")
    if reading.truncated:
        rows.append("note: there is more in the picture than is listed")
    return "\n".join(rows) + "\n"


def _plain(reading: ImageReading) -> str:
    return "".join(f"{_clean(line.text)}\n" for line in reading.lines)


def _clean(text: str) -> str:
    """Keep a text on its row, and from steering a terminal."""
    from kandong.cli.terminal import without_controls

    return without_controls(" ".join(text.splitlines()))
