"""``kandong describe``, ``kandong sentiment`` and ``kandong extract``: posts judged with the model, where there is one.

Owns: the arguments and exit codes. Must not know: what a task does, how reports look.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kandong.cli import options as o
from kandong.cli.output import write_json, write_out
from kandong.errors import InputError, KandongError, PictureError

if TYPE_CHECKING:
    from kandong.cli.judging import Asked

Images = Annotated[
    list[str] | None,
    typer.Argument(metavar="[IMAGE...]", help="Picture files or folders; '-' reads one picture from stdin."),
]
Text = Annotated[str | None, typer.Option("--text", "-t", help="The words of the post.")]
TextFile = Annotated[
    Path | None, typer.Option("--text-file", metavar="FILE", help="A UTF-8 file with the words of the post.")
]
Together = Annotated[bool, typer.Option("--together", help="All pictures are of one post.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="Also write a table: .csv, .xlsx or .jsonl.")
]
Prompts = Annotated[
    Path | None,
    typer.Option("--prompts", metavar="DIR", help="Folder of prompts of your own, in place of those of the same name."),
]
NoModel = Annotated[bool, typer.Option("--no-model", help="Use only OCR, codes and rules.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="last", help="With a folder: print what is new or changed since the last time."),
]


def describe(
    images: Images = None,
    text: Text = None,
    text_file: TextFile = None,
    together: Together = False,
    out: Out = None,
    prompts: Prompts = None,
    no_model: NoModel = False,
    model: o.Model = None,
    precision: o.PrecisionOption = "auto",
    compute: o.ComputeOption = None,
    threads: o.Threads = None,
    context_tokens: o.ContextTokens = 32_768,
    kv_cache_mib: o.KvCacheMib = None,
    keep_features: o.KeepFeatures = True,
    as_json: o.AsJson = False,
) -> None:
    """Describe pictures: caption, scene, objects, people, kind of picture, brands.

    A price or date in the caption that stands nowhere in the post is taken out, and listed. Each picture is a post of
    its own, unless there are words too, or --together. Without a model it says what it could not do.

    Exit code 0, or 3 if a picture could not be used; the others are described all the same.
    """
    _run("describe", dict(locals()))


def sentiment(
    images: Images = None,
    text: Text = None,
    text_file: TextFile = None,
    together: Together = False,
    out: Out = None,
    prompts: Prompts = None,
    no_model: NoModel = False,
    model: o.Model = None,
    precision: o.PrecisionOption = "auto",
    compute: o.ComputeOption = None,
    threads: o.Threads = None,
    context_tokens: o.ContextTokens = 32_768,
    kv_cache_mib: o.KvCacheMib = None,
    keep_features: o.KeepFeatures = True,
    as_json: o.AsJson = False,
) -> None:
    """Judge the sentiment of words and pictures, and whether the pictures bear out what is said.

    The model looks at the pictures before it knows the words, so that these cannot talk it into seeing. A photo without
    the gift supports a complaint and never proves it. Without a model only cue words are counted.

    Exit code 0, or 3 if a picture could not be used; the others are judged all the same.
    """
    _run("sentiment", dict(locals()))


def extract(
    images: Images = None,
    text: Text = None,
    text_file: TextFile = None,
    together: Together = False,
    schema: Annotated[Path | None, typer.Option(help="Fill this JSON Schema (a file) instead of the fields.")] = None,
    since: Since = None,
    out: Out = None,
    prompts: Prompts = None,
    no_model: NoModel = False,
    model: o.Model = None,
    precision: o.PrecisionOption = "auto",
    compute: o.ComputeOption = None,
    threads: o.Threads = None,
    context_tokens: o.ContextTokens = 32_768,
    kv_cache_mib: o.KvCacheMib = None,
    keep_features: o.KeepFeatures = True,
    as_json: o.AsJson = False,
) -> None:
    """Extract products, prices, promotions, dates and gifts, each with its evidence and status.

    A number or name counts only if it stands in the post; sums are computed again and conflicts shown. Without a model
    it gives what is labelled plainly. With --since last and one folder it remembers prices, gifts and dates, and prints
    only what is new, changed or gone since the last time.

    Exit code 0, or 3 if a picture could not be used; the others are extracted all the same.
    """
    _run("extract", dict(locals()))


def _run(task: str, values: dict[str, Any]) -> None:
    try:
        has_error = _judge(task, values)
    except KandongError as error:
        if values["as_json"]:
            write_json({"error": error.to_dict()})
        raise
    if has_error:
        raise typer.Exit(PictureError.exit_code)


def _judge(task: str, values: dict[str, Any]) -> bool:
    """Judge and print; gives whether a post failed."""
    from kandong.cli.judging import json_of, judge, print_each

    asked = asked_of(values)
    if (schema := values.get("schema")) is not None:
        asked.options["schema"] = json_of(schema, "schema")
    if values.get("since") is not None:
        return _since_last(values["since"], asked)
    done = print_each(task, asked, judge(task, asked))
    return any(post.error is not None for post in done)


def asked_of(values: dict[str, Any]) -> Asked:
    """Pick what is asked from a command's arguments."""
    from kandong.cli.judging import Asked, loading_of

    return Asked(
        images=values["images"] or [],
        text=values.get("text"),
        text_file=values.get("text_file"),
        product=values.get("product"),
        together=bool(values.get("together")),
        out=values.get("out"),
        as_json=bool(values["as_json"]),
        prompts=values.get("prompts"),
        packs=values.get("packs"),
        use_model=not values.get("no_model"),
        loading=loading_of(values),
    )


def _since_last(since: str, asked: Asked) -> bool:
    from kandong.cli.judging import judge, write_reports
    from kandong.settings import home_folder
    from kandong.tasks.changes import compare, load_memory, memory_file, save_memory, summary_of

    folder = Path(asked.images[0]) if len(asked.images) == 1 else None
    if since != "last":
        raise InputError(f"--since {since}: only 'last' is known.", field="since")
    if folder is None or not folder.is_dir() or asked.together or asked.options.get("schema"):
        raise InputError(
            "--since last compares one folder, post by post.", hint="Name one folder and no --schema.", field="since"
        )
    path = memory_file(home_folder(), folder)
    old = load_memory(path)
    posts = list(judge("extract", asked))
    write_reports("extract", asked, posts)
    names = {post.name: str(Path(post.name).relative_to(folder)) for post in posts}
    new = {names[post.name]: summary_of(post.report) for post in posts if post.report is not None}
    failed = {names[post.name]: old[names[post.name]] for post in posts if post.error and names[post.name] in old}
    changes = compare(old, new | failed)
    save_memory(path, new | failed)
    for change in changes:
        if asked.as_json:
            write_json(change.to_dict())
        else:
            arrow = f"{change.old or '-'} → {change.new or '-'}" if change.field else (change.new or "")
            write_out(f"{change.kind}  {change.post}  {change.field or ''}  {arrow}".rstrip() + "\n")
    if not changes and not asked.as_json:
        write_out("nothing new\n")
    return any(post.error is not None for post in posts)
