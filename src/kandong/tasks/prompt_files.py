"""The prompts of the tasks: short Chinese texts in files, each with its version, replaceable from a folder.

Owns: the files' form, what each of them must hold, and the version that every report names. Must not know: messages,
engines. The first line of a file is ``版本: N``; the rest is the prompt, with ``$name`` where something is put in.
An empty prompt means: say nothing there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from kandong.errors import InputError

# Name of each prompt, and what is put into it.
PLACEHOLDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "system": (),
    "words": ("lines",),
    "assist": ("question",),
    "ask": ("question",),
    "describe": ("flags",),
    "presence": ("object",),
    "sentiment": (),
    "extract": (),
    "extract_schema": (),
    "reread": (),
    "page": (),
    "analysis": (),
}
_HEAD: Final = re.compile(r"版本[:：]\s*([\w.-]{1,20})\s*\n?")
_PLACE: Final = re.compile(r"\$(\w+)")
_MAX_CHARACTERS: Final = 4_000


@dataclass(frozen=True)
class Prompt:
    """One prompt: its text with places to fill, and its version."""

    name: str
    version: str
    text: str

    def fill(self, **values: str) -> str:
        """Put values in; what stands in a value is never looked at again."""
        return _PLACE.sub(lambda match: values.get(match[1], match[0]), self.text)


@dataclass(frozen=True)
class Prompts:
    """All prompts in use."""

    by_name: Mapping[str, Prompt]

    def __getitem__(self, name: str) -> Prompt:
        """Give a prompt by its name."""
        return self.by_name[name]

    def version(self, *names: str) -> str:
        """Give what a report names: the version of each prompt used, and a digest of their texts."""
        used = sorted({"system", *names})
        texts = "\n".join(f"{name}\0{self[name].text}" for name in used)
        digest = hashlib.sha256(texts.encode()).hexdigest()[:8]
        return "+".join(f"{name}-{self[name].version}" for name in used) + f"#{digest}"


def load_prompts(folder: Path | None = None) -> Prompts:
    """Give the bundled prompts, with those of ``folder`` in place of the ones of the same name.

    Errors: ``InputError`` for a folder that is not there, a file with no version or of a name that is none, and a
    prompt that has not its places.
    """
    bundled = _bundled()
    if folder is None:
        return bundled
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of prompts.", field="prompts")
    own = {path.stem: parse_prompt(path.stem, _text_of(path)) for path in sorted(folder.glob("*.txt"))}
    return Prompts({**bundled.by_name, **own})


def parse_prompt(name: str, text: str) -> Prompt:
    """Read one prompt. Errors: ``InputError`` naming what is wrong."""
    if name not in PLACEHOLDERS:
        raise InputError(f"There is no prompt {name!r}.", hint=f"Known: {', '.join(PLACEHOLDERS)}.", field="prompts")
    head = _HEAD.match(text.removeprefix("\ufeff"))
    if head is None:
        raise InputError(f"{name}.txt has no version.", hint="Begin it with a line: 版本: 1", field="prompts")
    body = text.removeprefix("\ufeff")[head.end() :].strip()
    if len(body) > _MAX_CHARACTERS:
        raise InputError(f"{name}.txt is longer than {_MAX_CHARACTERS:,} characters.", field="prompts")
    missing = [place for place in PLACEHOLDERS[name] if body and f"${place}" not in body]
    if missing or (not body and name not in ("system", "words")):
        needed = "".join(f" ${place}" for place in PLACEHOLDERS[name])
        raise InputError(f"{name}.txt lacks its words or places.", hint=f"Places:{needed or ' none'}.", field="prompts")
    return Prompt(name, head[1], body)


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path.name} cannot be read as UTF-8 text.", field="prompts") from None


@cache
def _bundled() -> Prompts:
    folder = resources.files("kandong.tasks") / "prompts"
    texts = {name: (folder / f"{name}.txt").read_text("utf-8") for name in PLACEHOLDERS}
    return Prompts({name: parse_prompt(name, text) for name, text in texts.items()})
