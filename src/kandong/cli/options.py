"""Options that ``ask`` and ``chat`` share, each declared once.

Owns: their spelling and help. Must not know: what the engine does with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="PATH-OR-NAME",
        help="Model folder, or a name such as 2b, 4b or Qwen/Qwen3-VL-8B-Instruct. "
        "Default: $KANDONG_MODEL, else Qwen/Qwen3-VL-2B-Instruct.",
    ),
]
System = Annotated[str | None, typer.Option("--system", "-s", help="System message.")]
MaxTokens = Annotated[int, typer.Option(help="Longest answer, in tokens.")]
Temperature = Annotated[float, typer.Option(help="0 takes the likeliest token; up to 2.")]
TopP = Annotated[float, typer.Option(help="Draw from the likeliest tokens of this total probability.")]
TopK = Annotated[int | None, typer.Option(help="Draw from this many likeliest tokens.")]
PresencePenalty = Annotated[float, typer.Option(help="Lower tokens that the answer has; harms word-for-word copying.")]
RepetitionPenalty = Annotated[float, typer.Option(help="Lower tokens of prompt and answer; 1 is off.")]
Seed = Annotated[int | None, typer.Option(help="Makes a drawn answer repeatable.")]
Stop = Annotated[list[str] | None, typer.Option(help="End the answer before this text; may be given again.")]
MinImageTokens = Annotated[int | None, typer.Option(help="Enlarge smaller pictures to this many tokens.")]
MaxImageTokens = Annotated[
    int | None,
    typer.Option(help="Tokens a picture may take, 32×32 pixels each: more reads finer print, and takes longer. [768]"),
]
PrecisionOption = Annotated[str, typer.Option("--precision", help="auto, int8, int4, bf16 or f32.")]
ComputeOption = Annotated[str | None, typer.Option("--compute", help="bf16 or f32; default: what the CPU does best.")]
Threads = Annotated[int | None, typer.Option(help="CPU threads; default: all cores.")]
ContextTokens = Annotated[int, typer.Option(help="Longest prompt and answer together, in tokens.")]
Packs = Annotated[
    Path | None,
    typer.Option(
        "--packs",
        metavar="DIR",
        help="Folder of rule packs of your own, used beside the bundled ones. [$KANDONG_RULES]",
    ),
]
KvCacheMib = Annotated[
    int | None,
    typer.Option(help="Memory for keys and values; default: one context, or a quarter of what is free."),
]
KeepFeatures = Annotated[
    bool,
    typer.Option(
        "--keep-features/--no-keep-features",
        help="Keep what the model saw of a picture in the cache folder, so that it need not look again.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def generation_options(values: dict[str, Any]) -> dict[str, Any]:
    """Pick the options of one answer from a command's arguments, in the shape ``Chat.stream`` takes."""
    names = (
        "max_tokens temperature top_p top_k presence_penalty repetition_penalty seed min_image_tokens max_image_tokens"
    )
    options = {name: values[name] for name in names.split()}
    return options | {"stop": tuple(values["stop"] or ())}


def loading_options(values: dict[str, Any]) -> dict[str, Any]:
    """Pick the options of the model from a command's arguments, in the shape ``Kandong`` takes."""
    return {
        "precision": values["precision"],
        "compute": values["compute"],
        "num_threads": values["threads"],
        "context_tokens": values["context_tokens"],
        "kv_cache_bytes": None if values["kv_cache_mib"] is None else values["kv_cache_mib"] * 2**20,
        "keep_features": values["keep_features"],
    }
