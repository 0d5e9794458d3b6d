"""``kandong ask IMAGE... QUESTION``: one question about pictures.

Owns: reading the arguments and printing the answer. Must not know: graphs, tokens.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kandong.cli import options as o
from kandong.cli.output import write_json, write_out
from kandong.errors import InputError, KandongError
from kandong.models.demo import DEMO_NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kandong.runtime.local import Event
    from kandong.tasks.assist import Assisted
    from kandong.types import Picture
    from kandong.vlm.config import ModelConfig


def ask(
    items: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE... QUESTION", help="Picture files ('-' reads one from stdin), then a question."),
    ],
    model: o.Model = None,
    assist: Annotated[
        bool,
        typer.Option("--assist", help="Give the model what OCR reads, and check every number of its answer."),
    ] = False,
    prompts: Annotated[
        Path | None, typer.Option("--prompts", metavar="DIR", help="Folder of prompts of your own, with --assist.")
    ] = None,
    system: o.System = None,
    max_tokens: o.MaxTokens = 512,
    temperature: o.Temperature = 0.0,
    top_p: o.TopP = 1.0,
    top_k: o.TopK = None,
    presence_penalty: o.PresencePenalty = 0.0,
    repetition_penalty: o.RepetitionPenalty = 1.0,
    seed: o.Seed = None,
    stop: o.Stop = None,
    schema: Annotated[Path | None, typer.Option(help="The answer is JSON of this JSON Schema (a file).")] = None,
    choice: Annotated[list[str] | None, typer.Option(help="The answer is one of these; may be given again.")] = None,
    regex: Annotated[str | None, typer.Option(help="The whole answer matches this pattern.")] = None,
    min_image_tokens: o.MinImageTokens = None,
    max_image_tokens: o.MaxImageTokens = None,
    precision: o.PrecisionOption = "auto",
    compute: o.ComputeOption = None,
    threads: o.Threads = None,
    context_tokens: o.ContextTokens = 32_768,
    kv_cache_mib: o.KvCacheMib = None,
    keep_features: o.KeepFeatures = True,
    as_json: o.AsJson = False,
) -> None:
    """Ask a question about one or more pictures.

    The answer streams to stdout. With --json: one object with the answer, token counts, times by stage, the grid each
    picture was seen at, and why the answer ended; a failure is an object with "error".

    With --assist the numbers of the answer follow it: ✓ found in the picture, = computed from what is found, ?
    unverified, each with its place or reason. With --json they are under "assist".
    """
    values = dict(locals())
    try:
        _ask(values)
    except KandongError as error:
        if as_json:
            write_json({"error": error.to_dict()})
        raise


def _ask(values: dict[str, Any]) -> None:
    # Imported here: loading OpenVINO takes a moment that --help need not wait for.
    from kandong.cli.report_rows import mark_rows
    from kandong.cli.terminal import ProgressLine, stream_to_stdout, without_controls
    from kandong.runtime.local import Kandong

    items, as_json = values["items"], values["as_json"]
    assert isinstance(items, list)
    sources, question = split_items(items)
    generation = o.generation_options(values) | _form_options(values)
    pictures = read_sources(sources)
    with ProgressLine() as line:
        kandong = Kandong(
            values["model"],
            report=lambda text: line.say(f"loading: {text}"),
            **o.loading_options(values),
        )
        if kandong.is_demo:
            line.clear()
            print(f"note: {DEMO_NOTICE}", file=sys.stderr)
        ready = None
        if values["assist"]:
            line.say("reading the picture")
            ready = assisted(kandong.engine.config, pictures, question, values, generation)
            events: Iterator[Event] = kandong.engine.generate(ready.request)
        else:
            events = kandong.stream(pictures, question, system=values["system"], **generation)
        answer = stream_to_stdout(events, line, quiet=bool(as_json))
    checked = None if ready is None else ready.check(answer.text).to_dict()
    if as_json:
        write_json(kandong.describe(answer) | ({} if checked is None else {"assist": checked}))
        return
    if checked is not None:
        rows = [f"  verified: {checked['verified']}", *mark_rows(checked["marks"])]
        write_out("".join(f"{without_controls(row)}\n" for row in rows))
    if answer.stopped_by is not None:
        print(f"note: the answer ran away ({answer.stopped_by}) and was stopped.", file=sys.stderr)
    elif answer.finish_reason == "length":
        print("note: the answer reached --max-tokens and may be cut.", file=sys.stderr)


def assisted(
    config: ModelConfig, pictures: list[Picture], question: str, values: dict[str, Any], generation: dict[str, Any]
) -> Assisted:
    """Read the pictures and make the question ready to be answered by evidence. Errors: ``InputError``."""
    from kandong.reading.reader import read_picture
    from kandong.runtime.conversation import form_of
    from kandong.tasks.assist import assist
    from kandong.tasks.prompt_files import load_prompts
    from kandong.vlm.pixels import PixelBudget
    from kandong.vlm.prompt import Message, PicturePart, TextPart
    from kandong.vlm.request import Request
    from kandong.vlm.sampling import SamplingParameters

    options = dict(generation)
    budget = PixelBudget(options.pop("min_image_tokens"), options.pop("max_image_tokens"))
    budget.resolve(config.pixels)
    form = form_of(options)
    user = Message("user", (*(PicturePart(i) for i in range(len(pictures))), TextPart(question)))
    system = [Message("system", (TextPart(values["system"]),))] if values["system"] else []
    sampling = SamplingParameters.from_options(options)
    request = Request([*system, user], pictures, sampling=sampling, budget=budget, form=form)
    readings = {i: read_picture(picture, i) for i, picture in enumerate(pictures)}
    return assist(request, readings, config, prompts=load_prompts(values["prompts"]))


def _form_options(values: dict[str, Any]) -> dict[str, Any]:
    """Pick what the answer must look like. Errors: ``InputError`` for a schema file that is no JSON."""
    schema = None
    if (path := values["schema"]) is not None:
        try:
            schema = json.loads(path.read_text("utf-8"))
        except OSError:
            raise InputError(f"{path} cannot be read.", field="schema") from None
        except ValueError:
            raise InputError(f"{path} is not JSON.", hint="Write a JSON Schema into it.", field="schema") from None
    return {"json_schema": schema, "choices": values["choice"], "regex": values["regex"]}


def split_items(items: list[str]) -> tuple[list[str], str]:
    """Take the last argument as the question. Errors: ``InputError`` if one of the two is missing."""
    *sources, question = items
    if not sources and (question == "-" or Path(question).is_file()):
        raise InputError(
            "The question is missing.",
            hint='Write it after the pictures: kandong ask card.png "价格是多少？"',
            field="question",
        )
    if not sources:
        raise InputError(
            "The picture is missing.",
            hint='Write it before the question: kandong ask card.png "价格是多少？"',
            field="image",
        )
    if not question.strip():
        raise InputError("The question is empty.", hint="Ask something, for example 价格是多少？", field="question")
    return sources, question


def read_sources(sources: list[str]) -> list[Picture]:
    """Decode picture files, ``-`` being stdin. Errors: ``PictureError``; ``InputError`` if stdin is named twice."""
    from kandong.reading.images import decode_picture
    from kandong.runtime.local import read_picture

    if sources.count("-") > 1:
        raise InputError("'-' stands for stdin and can be given once.", field="image")
    return [
        decode_picture(sys.stdin.buffer.read(), name="stdin") if source == "-" else read_picture(source)
        for source in sources
    ]
