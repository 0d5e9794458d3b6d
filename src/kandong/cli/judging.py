"""What the commands that judge posts with the model share: which posts are meant, the model, the loop, the output.

Owns: that one bad picture never stops the others, and what goes to stdout, stderr and the table. Must not know: what a
task does, how one report looks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kandong.cli import options as o
from kandong.cli.output import write_error, write_json, write_out
from kandong.errors import InputError, KandongError, ModelNotFoundError

if TYPE_CHECKING:
    from kandong.runtime.local import Kandong
    from kandong.tasks.post import Post, ProductFacts

_MAX_FILE_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class Asked:
    """What a command was asked: the posts, the options of its task, and where results go."""

    images: Sequence[str]
    text: str | None = None
    text_file: Path | None = None
    product: Path | None = None
    together: bool = False
    out: Path | None = None
    as_json: bool = False
    prompts: Path | None = None
    packs: Path | None = None
    use_model: bool = True
    loading: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """One post with its report, or with the error that kept it from having one."""

    name: str
    report: dict[str, Any] | None
    error: KandongError | None = None


def judge(task: str, asked: Asked) -> Iterator[Judged]:
    """Judge the posts one after the other, telling progress on stderr.

    Errors: ``InputError`` for arguments, ``ModelError`` for a model that was named and cannot be loaded.
    """
    # Imported here: loading OpenVINO takes a moment that --help need not wait for.
    from kandong.cli.batch_progress import BatchProgress
    from kandong.cli.terminal import ProgressLine
    from kandong.rules.packs import load_rules
    from kandong.tasks.analyse import analyse
    from kandong.tasks.prompt_files import load_prompts
    from kandong.tasks.read import picture_files
    from kandong.tasks.tables import check_target
    from kandong.vlm.request import Priority

    words = words_of(asked.text, asked.text_file)
    if asked.out is not None:
        check_target(asked.out)
    if not asked.images and words is None:
        raise InputError(
            "There is nothing to judge.", hint=f'Name a picture, or words: kandong {task} --text "…"', field="image"
        )
    files = picture_files(asked.images)
    facts = _product_of(asked.product)
    prompts, rules = load_prompts(asked.prompts), load_rules(asked.packs)
    is_one = words is not None or asked.together
    with ProgressLine() as line:
        kandong = open_model(asked, line.say) if asked.use_model else None
    model = None if kandong is None else {"id": kandong.model_name, "quant": str(asked.loading["precision"])}
    groups = [files] if is_one else [[file] for file in files]
    with BatchProgress(task, len(groups)) as progress:
        for group in groups:
            name = group[0] if group else "text"
            try:
                post = _post(group, words or "", facts)
                engine = None if kandong is None else kandong.engine
                reports = analyse(
                    post,
                    [task],
                    engine,
                    prompts=prompts,
                    rules=rules,
                    model=model,
                    priority=Priority.BATCH if len(groups) > 1 else Priority.INTERACTIVE,
                    **asked.options,
                )
                judged = Judged(name, reports[task])
            except KandongError as error:
                if isinstance(error, InputError) and error.exit_code == InputError.exit_code:
                    raise  # not the picture's fault: every other post would meet it too
                write_error(error)
                judged = Judged(name, None, error)
            progress.advance(name)
            yield judged


def open_model(asked: Asked, say: Any) -> Kandong | None:
    """Load the model; one that was not named and is not there is done without, which is told on stderr."""
    from kandong.runtime.local import Kandong

    try:
        return Kandong(asked.loading["model"], report=lambda text: say(f"loading: {text}"), **_without_model(asked))
    except ModelNotFoundError:
        if asked.loading["model"] is not None:
            raise
        print("note: no model is installed, so only OCR, codes and rules are used. See: kandong pull", file=sys.stderr)
        return None


def _without_model(asked: Asked) -> dict[str, Any]:
    return {name: value for name, value in asked.loading.items() if name != "model"}


def loading_of(values: dict[str, Any]) -> dict[str, Any]:
    """Pick the options of the model, its name included."""
    return o.loading_options(values) | {"model": values["model"]}


def print_each(task: str, asked: Asked, posts: Iterator[Judged]) -> list[Judged]:
    """Print each report as it comes, then write the table; gives what was judged."""
    from kandong.cli.report_rows import rows_of
    from kandong.cli.terminal import without_controls

    done: list[Judged] = []
    for post in posts:
        done.append(post)
        if asked.as_json:
            write_json(to_json(post))
        elif post.report is not None:
            title = [f"{post.name}:"] if len(asked.images) > 1 or done[1:] or _is_folder(asked) else []
            rows = [*title, *rows_of(task, post.report)]
            write_out("".join(f"{without_controls(' '.join(row.splitlines()))}\n" for row in rows))
    write_reports(task, asked, done)
    return done


def write_reports(task: str, asked: Asked, posts: Sequence[Judged]) -> None:
    """Write the table that ``--out`` asks for. Errors: ``InputError``."""
    from kandong.tasks.report_tables import sheets_of
    from kandong.tasks.tables import write_sheets

    if asked.out is not None:
        reports = [(post.name, post.report) for post in posts if post.report is not None]
        write_sheets(sheets_of(task, reports), [to_json(post) for post in posts], asked.out)


def to_json(post: Judged) -> dict[str, Any]:
    """Give one object for a post: its report, or its error."""
    if post.report is not None:
        return {"post": post.name} | post.report
    assert post.error is not None
    return {"post": post.name, "error": post.error.to_dict()}


def words_of(text: str | None, text_file: Path | None) -> str | None:
    """Give the words of the post from an option or a file. Errors: ``InputError``."""
    if text is not None and text_file is not None:
        raise InputError("--text and --text-file are both given.", hint="Give one of them.", field="text")
    if text_file is not None:
        return _text_of(text_file, "text_file")
    if text is not None and not text.strip():
        raise InputError("The text is empty.", hint="Leave --text out to judge pictures alone.", field="text")
    return text


def _text_of(path: Path, name: str) -> str:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise InputError(f"{path} is larger than 4 MiB.", hint="Divide it.", field=name)
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text.", hint="Save it as UTF-8.", field=name) from None
    except OSError:
        raise InputError(f"{path} cannot be read.", hint="Check the name.", field=name) from None


def json_of(path: Path, name: str) -> Any:
    """Read a JSON file. Errors: ``InputError`` naming the option."""
    try:
        return json.loads(_text_of(path, name))
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON.", field=name) from None


def _product_of(path: Path | None) -> ProductFacts | None:
    from kandong.tasks.post import parse_product

    return None if path is None else parse_product(json_of(path, "product"), "product")


def _post(files: Sequence[str], words: str, facts: ProductFacts | None) -> Post:
    from kandong.reading.images import decode_picture, load_picture
    from kandong.tasks.post import Post
    from kandong.tasks.read import STDIN

    pictures = [
        decode_picture(sys.stdin.buffer.read(), name="stdin") if file == STDIN else load_picture(Path(file))
        for file in files
    ]
    return Post(words, tuple(pictures), product=facts)


def _is_folder(asked: Asked) -> bool:
    return any(Path(name).is_dir() for name in asked.images) and not asked.together
