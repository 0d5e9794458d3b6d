"""From a chat request's body to the engine's request.

Owns: which fields of OpenAI's become what here, and their defaults. Must not know: how pictures are fetched or answers
are sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kandong.errors import InputError, PromptTooLongError
from kandong.server.chat_body import (
    MAX_STOPS,
    ChatBody,
    ChatMessage,
    ContentPart,
    Detail,
    ResponseFormat,
    check_unsupported,
)
from kandong.server.picture_sources import PictureSource
from kandong.server.sampling_defaults import DEFAULT_TEMPERATURE, DEFAULT_TOP_K, DEFAULT_TOP_P
from kandong.types import Picture
from kandong.vlm.grammar_source import schema_text
from kandong.vlm.pixels import PixelBudget
from kandong.vlm.prompt import Message, PicturePart, Role, TextPart
from kandong.vlm.request import AnswerForm, Deadlines, Request
from kandong.vlm.sampling import SamplingParameters

DEFAULT_MAX_TOKENS = 1_024
LOW_DETAIL_TOKENS = 256
HIGH_DETAIL_TOKENS = 2_048
MAX_TEXT_CHARACTERS = 1_000_000
_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_SEEDS = 2**63
_PARTS_HINT = "Parts are text, image_url and file."


@dataclass(frozen=True)
class ChatLimits:
    """What a message and a model allow."""

    max_pictures: int
    max_image_tokens: int


@dataclass
class _Conversation:
    """Messages being read, with the pictures that they name."""

    max_pictures: int
    messages: list[Message] = field(default_factory=list)
    sources: list[PictureSource] = field(default_factory=list)
    details: list[Detail] = field(default_factory=list)
    num_characters: int = 0

    def add_text(self, text: str, place: str) -> TextPart:
        self.num_characters += len(text)
        if self.num_characters > MAX_TEXT_CHARACTERS:
            raise PromptTooLongError(
                f"The messages have more than {MAX_TEXT_CHARACTERS:,} characters.", hint="Shorten them.", field=place
            )
        return TextPart(text)

    def add_picture(self, source: PictureSource, detail: Detail | None) -> PicturePart:
        self.sources.append(source)
        self.details.append(detail or "auto")
        return PicturePart(len(self.sources) - 1)


@dataclass(frozen=True)
class ChatPlan:
    """A request but for its pictures' pixels, and how its answer is to be given."""

    messages: tuple[Message, ...]
    sources: tuple[PictureSource, ...]
    sampling: SamplingParameters
    budget: PixelBudget
    form: AnswerForm | None
    model: str | None
    is_stream: bool = False
    includes_usage: bool = False
    is_assisted: bool = False

    def request(self, pictures: Sequence[Picture], total_s: float) -> Request:
        """Give the engine's request."""
        return Request(
            self.messages,
            pictures,
            sampling=self.sampling,
            budget=self.budget,
            form=self.form,
            deadlines=Deadlines(total_s=total_s),
        )


def plan_chat(body: ChatBody, limits: ChatLimits) -> ChatPlan:
    """Check a body and turn it into a plan. Errors: ``InputError``, ``GrammarError``, each naming the field."""
    check_unsupported(body)
    if not body.messages:
        raise InputError(
            "There is no message.",
            hint='Send {"messages": […]}, or the short form {"image": …, "query": …}.',
            field="messages",
        )
    if body.image is not None or body.query is not None:
        raise InputError("messages and the short form cannot be sent together.", field="messages")
    talk = _Conversation(limits.max_pictures)
    for number, message in enumerate(body.messages):
        talk.messages.append(_read_message(message, f"messages[{number}]", talk))
    if body.messages[-1].role == "assistant":
        raise InputError(
            "The last message is the assistant's.",
            hint="End with a message of the user; beginnings of answers are not continued.",
            field=f"messages[{len(body.messages) - 1}].role",
        )
    budget = budget_of(body, talk.details, limits.max_image_tokens)
    return plan_of(body, tuple(talk.messages), tuple(talk.sources), budget)


def plan_of(
    body: ChatBody, messages: tuple[Message, ...], sources: tuple[PictureSource, ...], budget: PixelBudget
) -> ChatPlan:
    """Make the plan of messages that are read already. Errors: as ``plan_chat``."""
    options = body.stream_options
    if options is not None and not body.stream:
        raise InputError("stream_options goes with stream: true only.", field="stream_options")
    return ChatPlan(
        messages=messages,
        sources=sources,
        sampling=sampling_of(body),
        budget=budget,
        form=form_of(body),
        model=body.model,
        is_stream=bool(body.stream),
        includes_usage=bool(options and options.include_usage),
        is_assisted=bool(body.kandong and body.kandong.assist),
    )


def _read_message(message: ChatMessage, place: str, talk: _Conversation) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        is_tool = message.role in ("tool", "function")
        hint = "Tools are not supported." if is_tool else "Roles are system, developer, user and assistant."
        raise InputError(f"{place}.role is not supported.", hint=hint, field=f"{place}.role")
    for name in ("tool_calls", "function_call", "audio"):
        if getattr(message, name) not in (None, []):
            raise InputError(f"{place}.{name} is not supported.", hint="Leave it out.", field=f"{place}.{name}")
    content = message.content
    if content is None and role == "assistant" and message.refusal is not None:
        content = message.refusal
    if content is None:
        raise InputError(f"{place}.content is missing.", field=f"{place}.content")
    if isinstance(content, str):
        return Message(role, (talk.add_text(content, f"{place}.content"),))
    before = len(talk.sources)
    parts = tuple(_read_part(part, f"{place}.content[{i}]", role, talk) for i, part in enumerate(content))
    if not parts:
        raise InputError(f"{place}.content is empty.", field=f"{place}.content")
    if (num_pictures := len(talk.sources) - before) > talk.max_pictures:
        raise InputError(
            f"{num_pictures} pictures in one message, allowed are {talk.max_pictures}.",
            hint="Send fewer pictures, or ask the operator to raise max_pictures.",
            field=f"{place}.content",
        )
    return Message(role, parts)


def _read_part(part: ContentPart, place: str, role: Role, talk: _Conversation) -> TextPart | PicturePart:
    if part.type in ("text", "refusal"):
        text = part.text if part.type == "text" else part.refusal
        if text is None:
            raise InputError(f"{place}.{part.type} is missing.", field=f"{place}.{part.type}")
        return talk.add_text(text, f"{place}.{part.type}")
    if part.type not in ("image_url", "file"):
        raise InputError(f"{place}.type is not supported.", hint=_PARTS_HINT, field=f"{place}.type")
    if role != "user":
        raise InputError(f"{place}: only messages of the user hold pictures.", field=f"{place}.type")
    if part.type == "file":
        return talk.add_picture(_file_source(part, place), None)
    picture = part.image_url
    if picture is None:
        raise InputError(f"{place}.image_url is missing.", field=f"{place}.image_url")
    if isinstance(picture, str):
        return talk.add_picture(PictureSource(f"{place}.image_url", picture), None)
    return talk.add_picture(PictureSource(f"{place}.image_url.url", picture.url), picture.detail)


def _file_source(part: ContentPart, place: str) -> PictureSource:
    file = part.file
    if file is not None and file.file_id is not None:
        if not file.file_id.startswith("file-"):
            raise InputError("This is no id of a file.", hint="Ids begin with file-.", field=f"{place}.file.file_id")
        return PictureSource(f"{place}.file.file_id", file.file_id)
    if file is not None and file.file_data is not None:
        return PictureSource(f"{place}.file.file_data", file.file_data)
    raise InputError(f"{place}.file.file_id is missing.", field=f"{place}.file.file_id")


def sampling_of(body: ChatBody) -> SamplingParameters:
    """Give how to sample. Errors: ``InputError`` naming the field that is out of range."""
    stops = [body.stop] if isinstance(body.stop, str) else body.stop or []
    if len(stops) > MAX_STOPS:
        raise InputError(f"{len(stops)} stop strings, allowed are {MAX_STOPS}.", field="stop")
    if body.seed is not None and not -_SEEDS <= body.seed < _SEEDS:
        raise InputError("seed must be a whole number of 64 bits.", field="seed")
    temperature = DEFAULT_TEMPERATURE if body.temperature is None else body.temperature
    given = {
        "max_tokens": _max_tokens(body),
        # top_p 0 leaves only the likeliest token, which is what greedy means.
        "temperature": 0.0 if body.top_p == 0 and 0 <= temperature <= 2 else temperature,
        "top_p": DEFAULT_TOP_P if body.top_p is None else body.top_p or None,
        "top_k": DEFAULT_TOP_K if body.top_k is None else body.top_k or None,
        "presence_penalty": body.presence_penalty,
        "frequency_penalty": body.frequency_penalty,
        "repetition_penalty": body.repetition_penalty,
        "logit_bias": body.logit_bias,
        "top_logprobs": _top_logprobs(body),
        "seed": None if body.seed is None else body.seed % _SEEDS,
        "stop": stops,
    }
    return _named(body, {name: value for name, value in given.items() if value is not None})


def _named(body: ChatBody, given: dict[str, object]) -> SamplingParameters:
    """Make the parameters; errors speak of the field that was sent."""
    try:
        return SamplingParameters.from_options(given)
    except InputError as error:
        if error.field == "max_tokens" and body.max_completion_tokens is not None:
            error.field = "max_completion_tokens"
            error.message = error.message.replace("max_tokens", "max_completion_tokens")
        raise


def _max_tokens(body: ChatBody) -> int:
    both = (body.max_completion_tokens, body.max_tokens)
    if None not in both and both[0] != both[1]:
        raise InputError(
            "max_tokens and max_completion_tokens differ.", hint="Send one of them.", field="max_completion_tokens"
        )
    return next((value for value in both if value is not None), DEFAULT_MAX_TOKENS)


def _top_logprobs(body: ChatBody) -> int | None:
    if not body.logprobs:
        if body.top_logprobs:
            raise InputError("top_logprobs goes with logprobs: true only.", field="top_logprobs")
        return None
    return body.top_logprobs or 0


def budget_of(body: ChatBody, details: Sequence[Detail], most: int) -> PixelBudget:
    """Give how many tokens a picture may take: as asked in ``kandong``, else by the highest detail of the request.

    ``most`` is what the model can take; what is asked in ``kandong`` the engine checks against it.
    """
    options = body.kandong
    if options is not None and (options.max_image_tokens is not None or options.min_image_tokens is not None):
        return PixelBudget(options.min_image_tokens, options.max_image_tokens)
    if "high" in details:
        return PixelBudget(max_tokens=min(HIGH_DETAIL_TOKENS, most))
    if details and set(details) == {"low"}:
        return PixelBudget(max_tokens=min(LOW_DETAIL_TOKENS, most))
    return PixelBudget()


def form_of(body: ChatBody) -> AnswerForm | None:
    """Give what the answer must look like. Errors: ``InputError``, ``GrammarError``."""
    forms = [_response_form(body.response_format)] if body.response_format is not None else []
    if body.kandong is not None and body.kandong.regex is not None:
        forms.append(AnswerForm("regex", body.kandong.regex))
    if body.kandong is not None and body.kandong.choices is not None:
        forms.append(AnswerForm("choice", body.kandong.choices))
    given = [form for form in forms if form is not None]
    if len(given) > 1:
        raise InputError("Two forms of the answer are asked for.", hint="Ask for one.", field="response_format")
    return given[0] if given else None


def _response_form(wanted: ResponseFormat) -> AnswerForm | None:
    if wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return AnswerForm("json_object")
    if wanted.json_schema is None or wanted.json_schema.schema is None:
        raise InputError("The schema is missing.", field="response_format.json_schema.schema")
    schema_text(wanted.json_schema.schema)
    return AnswerForm("json_schema", wanted.json_schema.schema)
