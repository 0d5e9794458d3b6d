"""From messages to token ids: chat template, tokenizer, picture spans.

Owns: the rule that control tokens come only from the template. Text of users (and of posts, and of earlier answers)
is replaced by marks before the template is rendered and put back as plain text afterwards, encoded by a tokenizer that
knows no control token. Must not know: pixels, graphs, sampling.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jinja2
import jinja2.sandbox

from kandong.errors import CheckpointError, InputError
from kandong.vlm.config import ModelConfig, read_json
from kandong.vlm.tokenizer_file import read_tokenizer

# Used where a folder has no template of its own. Same output as Qwen3-VL's for text and pictures.
BUILT_IN_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content -%}
{%- if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif -%}
{%- endfor -%}
{%- endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}
"""

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")


@dataclass(frozen=True)
class TextPart:
    """Words, which are only ever data."""

    text: str


@dataclass(frozen=True)
class PicturePart:
    """A picture at its place in the content; ``index`` counts into the request's pictures."""

    index: int


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[TextPart | PicturePart, ...]


@dataclass(frozen=True)
class EncodedPrompt:
    """Token ids with one pad token for each picture, and which picture each pad stands for.

    ``pad_places`` are indices into ``ids``; ``picture_order`` gives the picture of each, in the same order.
    """

    ids: list[int]
    pad_places: list[int]
    picture_order: list[int]


@dataclass
class _Marks:
    """Stand-ins for user text while the template is rendered. Unguessable, so no text can imitate one."""

    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    texts: list[str] = field(default_factory=list)

    def add(self, text: str) -> str:
        self.texts.append(text)
        return f"\ue000{self.nonce}:{len(self.texts) - 1}\ue001"

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(f"\ue000{self.nonce}:(\\d+)\ue001")


class PromptEncoder:
    """Tokenizer and chat template of one checkpoint. Safe to use from several threads."""

    def __init__(self, folder: Path, config: ModelConfig) -> None:
        """Load both. Errors: ``CheckpointError`` if the tokenizer is missing, damaged or of another model."""
        self._config = config
        # The tokenizer has never heard of control tokens; their ids are put in and taken out here.
        self._plain, added = read_tokenizer(folder / "tokenizer.json")
        self._controls = {str(token["content"]): int(token["id"]) for token in added}
        self._names = {token_id: name for name, token_id in self._controls.items()}
        self._special_ids = {int(t["id"]) for t in added if t.get("special")} | set(config.eos_token_ids)
        self._check_control("<|image_pad|>", config.image_token_id)
        self._check_control("<|vision_start|>", config.vision_start_token_id)
        self._check_control("<|vision_end|>", config.vision_end_token_id)
        self._control_pattern = re.compile(
            "|".join(re.escape(name) for name in sorted(self._controls, key=len, reverse=True))
        )
        self._template = _compile_template(_find_template(folder))

    def encode(self, messages: Sequence[Message]) -> EncodedPrompt:
        """Render and tokenise a conversation, with the assistant's turn opened.

        Errors: ``InputError`` if there is no message; ``CheckpointError`` if the template loses a part.
        """
        if not messages:
            raise InputError("There is no message.", hint="Ask a question.", field="messages")
        marks = _Marks()
        pictures = [part.index for m in messages for part in m.parts if isinstance(part, PicturePart)]
        rendered = self._render([_as_template_message(m, marks) for m in messages])
        if len(marks.pattern.findall(rendered)) != len(marks.texts):
            raise CheckpointError(
                "The checkpoint's chat template drops or repeats a part of the conversation.",
                hint="Remove the template file to use the built-in one.",
            )
        ids = self._encode_rendered(rendered, marks)
        places = [i for i, token in enumerate(ids) if token == self._config.image_token_id]
        if len(places) != len(pictures):
            raise CheckpointError(
                f"The chat template gave {len(places)} places for {len(pictures)} pictures.",
                hint="Remove the template file to use the built-in one.",
            )
        return EncodedPrompt(ids, places, pictures)

    def encode_text(self, text: str) -> list[int]:
        """Tokenise text as data: what looks like a control token becomes ordinary characters."""
        ids = list(self._plain.encode(text, add_special_tokens=False).ids)
        # A vocabulary could hold a control token as an ordinary word; none of the supported ones does.
        if not self._names.keys().isdisjoint(ids):
            raise CheckpointError("tokenizer.json yields control tokens for ordinary text.")
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Turn generated ids into text, without control tokens; incomplete UTF-8 becomes U+FFFD."""
        pieces: list[str] = []
        run: list[int] = []
        for token_id in ids:
            if token_id in self._special_ids:
                continue
            if token_id in self._names:
                pieces += [self._plain.decode(run), self._names[token_id]]
                run = []
            else:
                run.append(token_id)
        return "".join([*pieces, self._plain.decode(run)])

    @property
    def control_ids(self) -> frozenset[int]:
        """Ids that only the template may give."""
        return frozenset(self._names)

    def token_bytes_name(self, token_id: int) -> str:
        """Give the vocabulary's own spelling of a token, for logs and log-probabilities."""
        return self._names.get(token_id) or self._plain.id_to_token(token_id) or ""

    def _check_control(self, name: str, token_id: int) -> None:
        if self._controls.get(name) != token_id:
            raise CheckpointError(
                f"tokenizer.json gives {name} the id {self._controls.get(name)}, config.json says {token_id}.",
                hint="The folder mixes files of two models: download it again.",
            )

    def _render(self, messages: list[dict[str, Any]]) -> str:
        try:
            return str(self._template.render(messages=messages, add_generation_prompt=True))
        except (jinja2.TemplateError, TypeError, ValueError, OverflowError):
            raise CheckpointError(
                "The checkpoint's chat template cannot render this conversation.",
                hint="Remove the template file to use the built-in one.",
            ) from None

    def _encode_rendered(self, rendered: str, marks: _Marks) -> list[int]:
        """Encode runs between control tokens of the template, each joined with the user text that stands in it.

        A run is encoded in one piece, so that the ids equal those of the reference, which sees one string.
        """
        ids: list[int] = []
        run: list[str] = []

        def flush() -> None:
            if text := "".join(run):
                ids.extend(self.encode_text(text))
            run.clear()

        # Splitting by a pattern with one group alternates template text and mark numbers.
        for i, piece in enumerate(marks.pattern.split(rendered)):
            if i % 2:
                run.append(marks.texts[int(piece)])
                continue
            cursor = 0
            for match in self._control_pattern.finditer(piece):
                run.append(piece[cursor : match.start()])
                flush()
                ids.append(self._controls[match.group()])
                cursor = match.end()
            run.append(piece[cursor:])
        flush()
        return ids


def _as_template_message(message: Message, marks: _Marks) -> dict[str, Any]:
    if message.role not in ROLES:
        raise InputError(f"Unknown role {message.role!r}.", hint=f"Use one of {', '.join(ROLES)}.", field="role")
    content = [
        {"type": "image", "image": "picture"}
        if isinstance(part, PicturePart)
        else {"type": "text", "text": marks.add(part.text)}
        for part in message.parts
    ]
    if all(isinstance(part, TextPart) for part in message.parts):
        # Several templates take system and assistant content only as a string.
        return {"role": message.role, "content": "".join(str(part["text"]) for part in content)}
    return {"role": message.role, "content": content}


def _find_template(folder: Path) -> str:
    """Find the template where transformers looks for it, in its order, else the built-in one."""
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    for name in ("chat_template.json", "tokenizer_config.json"):
        if (folder / name).is_file() and isinstance(template := read_json(folder / name).get("chat_template"), str):
            return template
    return BUILT_IN_TEMPLATE


def _compile_template(source: str) -> jinja2.Template:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )

    def raise_exception(message: object) -> None:
        raise jinja2.TemplateRuntimeError(str(message))

    environment.globals["raise_exception"] = raise_exception
    try:
        return environment.from_string(source)
    except jinja2.TemplateError:
        raise CheckpointError(
            "The checkpoint's chat template is not valid Jinja.",
            hint="Remove the template file to use the built-in one.",
        ) from None
