"""``kandong moderate IMAGE... [--text TEXT]``: posts judged by the rules.

Owns: the arguments, how a verdict looks, and exit codes. Must not know: reading, rules.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kandong.cli import options as o
from kandong.cli.judging import Asked, judge, print_each, words_of
from kandong.cli.output import write_error, write_json, write_out
from kandong.cli.tasks import Images, Out, Prompts, Text, TextFile, Together
from kandong.errors import InputError, KandongError, PictureError

if TYPE_CHECKING:
    from kandong.rules.rule import RuleBook
    from kandong.tasks.moderate import PostReport

REVIEW_EXIT_CODE: Final = 10
BLOCK_EXIT_CODE: Final = 11


def moderate(
    images: Images = None,
    text: Text = None,
    text_file: TextFile = None,
    together: Together = False,
    packs: o.Packs = None,
    out: Out = None,
    annotate: Annotated[
        str | None,
        typer.Option(
            "--annotate",
            metavar="PATH",
            help="Write pictures with the boxes of their hits: a file for one, or a folder.",
        ),
    ] = None,
    product: Annotated[
        Path | None,
        typer.Option(
            "--product",
            metavar="FILE",
            help="JSON with what the shop says: price, list_price, gifts, specification, certificates.",
        ),
    ] = None,
    model: o.Model = None,
    prompts: Prompts = None,
    precision: o.PrecisionOption = "auto",
    threads: o.Threads = None,
    as_json: o.AsJson = False,
) -> None:
    """Judge posts by the rules: words, what pictures say, codes in them; needs no model.

    Each picture is a post of its own, unless there are words too, or --together: then all of them are one post. Prints
    the verdict, each hit with its law, what must be shown and is not, and what was exempted and why. With --json: one
    object for each post, one a line, as soon as it is judged.

    With --model the model also looks at the pictures: what it sees may add findings for review and takes none away.
    With --product what the post says is compared with what the shop says.

    Exit code 0 if every post passes, 10 if one needs review, 11 if one is to be blocked, 3 if a picture could not be
    read and nothing is to be blocked.
    """
    try:
        if model is not None or product is not None:
            code = _with_tasks(dict(locals()))
        else:
            code = _moderate(images or [], words_of(text, text_file), together, packs, out, annotate, as_json)
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


def _with_tasks(values: dict[str, Any]) -> int:
    """Judge with the model, or against the shop's own facts; gives the exit code."""
    if values["annotate"] is not None:
        raise InputError("--annotate goes without --model and --product.", field="annotate")
    loading = {"model": values["model"], "precision": values["precision"], "num_threads": values["threads"]}
    names = ("text", "text_file", "product", "together", "out", "prompts", "packs")
    asked = Asked(
        images=values["images"] or [],
        as_json=values["as_json"],
        use_model=values["model"] is not None,
        loading=loading,
        **{name: values[name] for name in names},
    )
    done = print_each("moderate", asked, judge("moderate", asked))
    suggestions = {post.report["result"]["suggestion"] for post in done if post.report is not None}
    return exit_code(suggestions, has_errors=any(post.report is None for post in done))


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
