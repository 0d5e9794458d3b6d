"""The command ``kandong``: its commands, and the one place where errors become a line and an exit code.

Owns: the command tree and exit codes. Must not know: how a command does its work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from kandong import __version__
from kandong.cli.ask import ask
from kandong.cli.chat import chat
from kandong.cli.doctor import doctor
from kandong.cli.keys import keys
from kandong.cli.models import models
from kandong.cli.moderate import moderate
from kandong.cli.output import ReaderGoneError, write_error
from kandong.cli.pull import pull
from kandong.cli.read import read
from kandong.cli.rules import rules
from kandong.cli.selftest import selftest
from kandong.cli.serve import serve
from kandong.cli.tasks import describe, extract, sentiment
from kandong.errors import KandongError

EPILOG = (
    "stdout is data, stderr is progress. Exit codes: 0 answered, 1 internal error, 2 wrong usage, "
    "3 picture or prompt cannot be used, 4 model missing or damaged, 5 out of memory, 6 download failed, "
    "7 engine process lost, busy or too late, 10 a post needs review, 11 a post is to be blocked, 130 interrupted."
)

app = typer.Typer(
    name="kandong",
    help="Understand pictures and words of social-media posts with Qwen3-VL, on this machine's CPU.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(ask)
app.command()(chat)
app.command()(read)
app.command()(moderate)
app.command()(describe)
app.command()(sentiment)
app.command()(extract)
app.command()(pull)
app.command()(doctor)
app.command()(selftest)
app.command()(serve)
app.add_typer(keys, name="keys")
app.add_typer(models, name="models")
app.add_typer(rules, name="rules")


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"kandong {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every failure ends in one line on stderr and its documented code."""
    sys.exit(main(list(sys.argv[1:] if arguments is None else arguments)))


def main(arguments: list[str]) -> int:
    """Run the command line; gives the exit code."""
    try:
        result = app(args=arguments, prog_name="kandong", standalone_mode=False)
    except KandongError as error:
        write_error(error)
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return 130
    except ReaderGoneError:
        return 0
    except MemoryError:
        print("error: Out of memory. Use a smaller picture, a shorter text or precision int8.", file=sys.stderr)
        return 5
    except Exception as error:
        if hasattr(error, "show"):  # a usage error of the command-line library, which explains itself
            error.show()
            return 2
        if os.environ.get("KANDONG_DEBUG"):
            raise
        print(
            f"error: Internal error ({type(error).__name__}). Set KANDONG_DEBUG=1 to see the traceback, and report it.",
            file=sys.stderr,
        )
        return 1
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    run()
