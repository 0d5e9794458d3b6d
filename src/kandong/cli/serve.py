"""``kandong serve``: the web page and the API.

Owns: one option for each setting. Must not know: what settings do, web servers.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from kandong.cli.output import write_out
from kandong.settings import SettingField, load_settings, setting_fields


def serve(config: Path | None = None, **flags: Any) -> None:
    """Serve the web page and the API, with the engine in a process of its own, until SIGTERM or Ctrl-C.

    The address goes to stdout, what is being done to stderr. Each option is a setting, which an environment variable or
    the file config.toml may give as well: docs/reference/settings.md. The first signal lets running answers end; the
    second ends at once.
    """
    settings = load_settings(flags, config=config)
    # Imported here: the web framework takes a moment that other commands need not wait for.
    from kandong.server.serving import serve as run

    run(settings, lambda text: print(text, file=sys.stderr, flush=True), lambda url: write_out(f"{url}\n"))


def with_an_option_for_each_setting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the table of settings; absent ones are ``None``."""
    config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML.")]
    options = {"config": config} | {field.name: _option(field) for field in setting_fields()}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in options.items()
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = options
    return command


def _option(field: SettingField) -> Any:
    names = [field.flag]
    if field.kind is bool:
        names = [f"{field.flag}/--no-{field.flag.removeprefix('--')}"]
    if field.name == "model":
        names.append("-m")
    meaning = field.meaning
    if field.default not in (None, ()):
        meaning += f" [{str(field.default).lower()}]"
    kind: Any = list[str] if field.is_list else str if field.kind is Path else field.kind
    words = {int: "N", float: "N", str: "TEXT", Path: "PATH", tuple: "NAME"}
    metavar = "|".join(field.choices) or words.get(field.kind)
    return Annotated[kind | None, typer.Option(*names, metavar=metavar, help=meaning, show_default=False)]


with_an_option_for_each_setting(serve)
