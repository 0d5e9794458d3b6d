"""``kandong moderate IMAGE... [--text TEXT]``: posts judged by the rules.

Owns: the arguments, how a verdict looks, and exit codes. Must not know: reading, rules.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kandong.cli import options as o
from kandong.cli.output import write_error, write_json, write_out
from kandong.errors import InputError, KandongError, PictureError

if TYPE_CHECKING:
    from kandong.rules.rule import RuleBook
    from kandong.tasks.moderate import PostReport

REVIEW_EXIT_CODE: Final = 10
BLOCK_EXIT_CODE: Final = 11
_MAX_TEXT_BYTES: Final = 4 << 20


def moderate(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGE...]", help="Picture files or folders; '-' reads one picture from stdin."),
    ] = None,
    text: Annotated[str | None, typer.Option("--text", "-t", help="The words of the post.")] = None,
    text_file: Annotated[
        Path | None, typer.Option("--text-file", metavar="FILE", help="A UTF-8 file with the words of the post.")
    ] = None,
    together: Annotated[bool, typer.Option("--together", help="All pictures are of one post.")] = False,
    packs: o.Packs = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Also write a table: .csv, .xlsx or .jsonl."),
    ] = None,
    annotate: Annotated[
        str | None,
        typer.Option(
            "--annotate",
            metavar="PATH",
            help="Write pictures with the boxes of their hits: a file for one, or a folder.",
        ),
    ] = None,
    as_json: o.AsJson = False,
) -> None:
    """Judge posts by the rules: words, what pictures say, codes in them; needs no model.

    Each picture is a post of its own, unless there are words too, or --together: then all of them are one post. Prints
    the verdict, each hit with its law, what must be shown and is not, and what was exempted and why. With --json: one
    object for each post, one a line, as soon as it is judged.

    Exit code 0 if every post passes, 10 if one needs review, 11 if one is to be blocked, 3 if a picture could not be
    read and nothing is to be blocked.
    """
    try:
        code = _moderate(images or [], _words(text, text_file), together, packs, out, annotate, as_json)
    except KandongError as error:
        if as_json:
            write_json({"error": error.to_dict()})
        raise
    if code:
        raise typer.Exit(code)


def _moderate(
    images: list[str],
    words: str | None,
    together: bool,
    packs: Path | None,
    out: Path | None,
    annotate: str | None,
    as_json: bool,
) -> int:
    # Imported here: loading OpenVINO takes a moment that --help need not wait for.
    from kandong.cli.batch_progress import BatchProgress
    from kandong.cli.read import annotation_targets
    from kandong.rules.packs import load_rules
    from kandong.tasks.read import picture_files
    from kandong.tasks.tables import check_target, write_table

    if not images and words is None:
        hint = 'Name a picture, or words: kandong moderate --text "全网最低价"'
        raise InputError("There is nothing to judge.", hint=hint, field="image")
    if annotate is not None and not images:
        raise InputError(
            "There is no picture to annotate.", hint="Name one, or leave --annotate out.", field="annotate"
        )
    if out is not None:
        check_target(out)
    book = load_rules(packs)
    files = picture_files(images)
    targets = annotation_targets(annotate, files)
    posts: list[PostReport] = []
    suggestions: set[str] = set()
    has_errors = False
    with BatchProgress("judging", len(files)) as progress:
        for post in _judged(files, words, together, book):
            progress.advance(post.name)
            suggestions |= {str(post.report.suggestion)} if post.report is not None else set()
            has_errors |= bool(post.errors)
            if out is not None:
                posts.append(_without_pixels(post))
            for _, error in post.errors:
                write_error(error)
            if as_json:
                write_json(post.to_dict())
            else:
                _print(post, is_many=len(files) > 1 and not (together or words))
            _annotate(post, targets)
    if out is not None:
        write_table(posts, out)
    return exit_code(suggestions, has_errors=has_errors)


def exit_code(suggestions: set[str], *, has_errors: bool) -> int:
    """Choose the exit code of several verdicts: a block before a picture that failed before a review."""
    if "block" in suggestions:
        return BLOCK_EXIT_CODE
    if has_errors:
        return PictureError.exit_code
    return REVIEW_EXIT_CODE if "review" in suggestions else 0


def _judged(files: list[str], words: str | None, together: bool, book: RuleBook) -> Iterator[PostReport]:
    from kandong.tasks.moderate import moderate_each, moderate_together
    from kandong.tasks.read import STDIN

    stdin = sys.stdin.buffer.read() if STDIN in files else None
    if together or words is not None:
        yield moderate_together(words, files, book, stdin)
    else:
        yield from moderate_each(files, book, stdin)


def _words(text: str | None, text_file: Path | None) -> str | None:
    if text is not None and text_file is not None:
        raise InputError("--text and --text-file are both given.", hint="Give one of them.", field="text")
    if text_file is None:
        if text is not None and not text.strip():
            raise InputError("The text is empty.", hint="Leave --text out to judge pictures alone.", field="text")
        return text
    try:
        if text_file.stat().st_size > _MAX_TEXT_BYTES:
            raise InputError(f"{text_file} is larger than 4 MiB.", hint="Divide it.", field="text_file")
        return text_file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{text_file} is not UTF-8 text.", hint="Save it as UTF-8.", field="text_file") from None
    except OSError:
        raise InputError(f"{text_file} cannot be read.", hint="Check the name.", field="text_file") from None


def _print(post: PostReport, *, is_many: bool) -> None:
    from kandong.cli.terminal import without_controls
    from kandong.cli.verdicts import verdict_rows

    if post.report is None:
        return
    rows = verdict_rows(post.report, is_brief=is_many)
    title = [f"{post.name}:"] if is_many else []
    write_out("".join(f"{without_controls(' '.join(row.splitlines()))}\n" for row in [*title, *rows]))


def _annotate(post: PostReport, targets: list[Path]) -> None:
    from kandong.tasks.annotate import annotated, save_annotated

    if post.report is None or not targets:
        return
    for file in post.files:
        if file.picture is None or file.reading is None:
            continue
        outlines = []
        for hit in post.report.hits:
            box = hit.evidence.box
            if box is None or hit.evidence.image_index != file.reading.index:
                continue
            x0, y0, x1, y1 = (round(side) for side in box)
            outlines.append((hit.rule_id, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)), str(hit.suggest) == "block"))
        save_annotated(annotated(file.picture, outlines), targets[file.reading.index])


def _without_pixels(post: PostReport) -> PostReport:
    """Let go of the pixels, so that a folder of ten thousand pictures fits into memory."""
    return replace(post, files=tuple(replace(file, picture=None, reading=None) for file in post.files))
