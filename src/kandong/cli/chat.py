"""``kandong chat IMAGE...``: many questions in one conversation.

Owns: the prompt and its commands. Must not know: graphs, tokens.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kandong.cli import options as o
from kandong.cli.output import write_error, write_json
from kandong.errors import KandongError
from kandong.models.demo import DEMO_NOTICE

if TYPE_CHECKING:
    from kandong.cli.terminal import ProgressLine
    from kandong.runtime.local import Chat, Kandong

HELP = """\
/add FILE   add a picture to the next question
/undo       take the last question and answer back
/new        begin again, with the same pictures
/help       this list
/quit       leave (also Ctrl-D); Ctrl-C stops an answer"""


def chat(
    images: Annotated[list[str] | None, typer.Argument(metavar="[IMAGE]...", help="Picture files.")] = None,
    model: o.Model = None,
    system: o.System = None,
    max_tokens: o.MaxTokens = 512,
    temperature: o.Temperature = 0.0,
    top_p: o.TopP = 1.0,
    top_k: o.TopK = None,
    presence_penalty: o.PresencePenalty = 0.0,
    repetition_penalty: o.RepetitionPenalty = 1.0,
    seed: o.Seed = None,
    stop: o.Stop = None,
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
    """Talk about pictures in many turns.

    Questions are read line by line, from a terminal or a pipe; /help lists the commands. With --json each answer is
    one line with a JSON object.
    """
    from kandong.cli.ask import read_sources
    from kandong.cli.terminal import ProgressLine
    from kandong.runtime.local import Kandong

    values = dict(locals())
    pictures = read_sources(images or [])
    generation = o.generation_options(values)
    with ProgressLine() as line:
        kandong = Kandong(model, report=lambda text: line.say(f"loading: {text}"), **o.loading_options(values))
        line.clear()
        if kandong.is_demo:
            print(f"note: {DEMO_NOTICE}", file=sys.stderr)
        _Conversation(kandong, pictures, system, generation, line, as_json=as_json).run()


class _Conversation:
    """The loop over questions and commands."""

    def __init__(
        self,
        kandong: Kandong,
        pictures: list[Any],
        system: str | None,
        generation: dict[str, Any],
        line: ProgressLine,
        *,
        as_json: bool,
    ) -> None:
        self._kandong = kandong
        self._pictures = pictures
        self._system = system
        self._generation = generation
        self._line = line
        self._as_json = as_json
        self._is_terminal = sys.stdin.isatty()
        self._chat: Chat = kandong.chat(pictures, system=system)
        self._warm()

    def run(self) -> None:
        """Read until the end of input or /quit. At a terminal an error is shown and the conversation goes on."""
        if self._is_terminal:
            print("/help lists the commands.", file=sys.stderr)
            with contextlib.suppress(ImportError):  # gives input() its line editing; Windows has its own
                import readline  # noqa: F401
        try:
            self._loop()
        finally:
            self._chat.stop_warming()

    def _loop(self) -> None:
        while (text := self._read()) is not None:
            try:
                if text == "/quit":
                    return
                self._take(text)
            except KandongError as error:
                if not self._is_terminal:
                    raise
                write_error(error)
            except KeyboardInterrupt:
                if not self._is_terminal:
                    raise
                self._line.clear()
                print("\nstopped; the question was taken back", file=sys.stderr)

    def _read(self) -> str | None:
        """Give the next line that is not blank, or ``None`` at the end."""
        while True:
            try:
                text = input("> " if self._is_terminal else "")
            except EOFError:
                return None
            if text.strip():
                return text.strip()

    def _take(self, text: str) -> None:
        command, _, argument = text.partition(" ")
        if command == "/add" and argument.strip():
            self._chat.add_pictures([argument.strip()])
            self._warm()
            self._tell("added; it goes with the next question")
        elif text == "/undo":
            self._tell("taken back" if self._chat.undo() else "there is nothing to take back")
        elif text == "/new":
            self._chat.stop_warming()
            self._chat = self._kandong.chat(self._pictures, system=self._system)
            self._tell("begun again")
        elif text == "/help" or (command.startswith("/") and command[1:].isalpha()):
            self._tell(HELP)
        else:
            self._answer(text)

    def _answer(self, question: str) -> None:
        from kandong.cli.terminal import stream_to_stdout

        events = self._chat.stream(question, **self._generation)
        answer = stream_to_stdout(events, self._line, quiet=self._as_json)
        if self._as_json:
            write_json(self._kandong.describe(answer))
        elif answer.counts.num_dropped_rounds:
            self._tell(f"note: the first {answer.counts.num_dropped_rounds} rounds no longer fit and were left out")

    def _warm(self) -> None:
        """Look at new pictures while the question is typed; from a pipe it is there already."""
        if self._is_terminal:
            limits = {name: self._generation[name] for name in ("min_image_tokens", "max_image_tokens")}
            self._chat.warm(**limits)

    def _tell(self, text: str) -> None:
        print(text, file=sys.stderr)
