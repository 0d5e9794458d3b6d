"""Answers of a given form: which tokens may come next, and which must.

Owns: llguidance, its tokenizer, compiled grammars and the state of one answer. Must not know: logits beyond their mask,
graphs, what a form is for. JSON is written without blanks: fewer tokens, more of them forced. No token that stands for
a control token is ever allowed, except an end token where the grammar may end.

A factory and a compiled grammar may be used from several threads; a state belongs to one sequence.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, regex_to_lark
from numpy.typing import NDArray

from kandong.errors import CheckpointError, GrammarError, KandongError
from kandong.vlm.config import ModelConfig, read_json
from kandong.vlm.grammar_source import check_choices, check_pattern, explain, refuse, schema_text

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions

MAX_CACHED_GRAMMARS = 32
# A schema whose first forced text is longer than this requires an endless answer (an object that requires itself).
MAX_FORCED_BYTES = 8_192
# States take about 1 KB, are made as answers reach them, and are shared by all answers of one grammar.
_LIMITS = LLParserLimits(max_lexer_states=25_000, verbose_errors=False)
_SILENT = 0
# Where more tokens may come, text follows, which may always merge with what is before it.
_MAX_TRIED_TOKENS = 256


class GrammarFactory:
    """Compiles grammars for one tokenizer. The tokenizer (about 1 s, 170 MB for Qwen's) is made at the first use."""

    def __init__(self, read: Callable[[], Mapping[str, Any]], eos_ids: Iterable[int], vocab_size: int) -> None:
        """``read`` gives the parsed ``tokenizer.json``, once; ``vocab_size`` counts the model's logits, padded."""
        self._read = read
        self._eos_ids = list(eos_ids)
        self._vocab_size = vocab_size
        self._tokenizer: LLTokenizer | None = None
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], CompiledGrammar] = OrderedDict()

    @classmethod
    def from_folder(cls, folder: Path, config: ModelConfig) -> GrammarFactory:
        """Take ``tokenizer.json`` from a checkpoint's folder, at the first use: reading it takes 0.3 s for Qwen's."""
        return cls(lambda: read_json(folder / "tokenizer.json"), config.eos_token_ids, config.text.vocab_size)

    def compile_json_schema(self, schema: Mapping[str, Any] | bool) -> CompiledGrammar:
        """Compile a JSON Schema (2020-12); properties are written in the order given. Errors: ``GrammarError``."""
        text = schema_text(dict(schema) if isinstance(schema, Mapping) else schema)
        return self._compile("JSON Schema", text, _json_grammar)

    def compile_json_object(self) -> CompiledGrammar:
        """Compile "any JSON object"."""
        return self.compile_json_schema({"type": "object"})

    def compile_regex(self, pattern: str) -> CompiledGrammar:
        """Compile a regular expression that the whole answer matches; ``\\d`` is 0 to 9. Errors: ``GrammarError``."""
        if not check_pattern(pattern, "The pattern"):
            refuse("The pattern is empty.", "Leave it out.")
        return self._compile("pattern", pattern, _pattern_grammar)

    def compile_choice(self, choices: Sequence[str]) -> CompiledGrammar:
        """Compile "one of these texts, exactly". Errors: ``GrammarError``."""
        return self._compile("list of choices", json.dumps(check_choices(choices), ensure_ascii=False), _choice_grammar)

    def _compile(self, subject: str, text: str, make: Callable[[str], str]) -> CompiledGrammar:
        """Compile within the limits: what is too large for them fails in at most a few seconds."""
        with self._lock:
            if (known := self._known.get((subject, text))) is not None:
                self._known.move_to_end((subject, text))
                return known
            tokenizer = self._make_tokenizer()
        grammar = CompiledGrammar(tokenizer, self._vocab_size, lambda: _compiled(tokenizer, subject, text, make))
        with self._lock:
            self._known[(subject, text)] = grammar
            while len(self._known) > MAX_CACHED_GRAMMARS:
                self._known.popitem(last=False)
        return grammar

    def _make_tokenizer(self) -> LLTokenizer:
        if self._tokenizer is None:
            try:
                text = json.dumps(_without_control_names(self._read()))
                self._tokenizer = LLTokenizer(text, n_vocab=self._vocab_size, eos_token=self._eos_ids)
            except (ValueError, TypeError, KeyError):
                raise CheckpointError(
                    "tokenizer.json cannot be used for answers of a given form.", hint="Download that file again."
                ) from None
        return self._tokenizer


def _compiled(tokenizer: LLTokenizer, subject: str, text: str, make: Callable[[str], str]) -> LLMatcher:
    try:
        matcher = LLMatcher(tokenizer, make(text), log_level=_SILENT, limits=_LIMITS)
    except (ValueError, TypeError) as error:
        raise explain(str(error), subject, text) from None
    num_forced_bytes = 0 if matcher.is_error() else len(matcher.compute_ff_bytes())
    if matcher.is_error():
        raise explain(matcher.get_error(), subject, text)
    if num_forced_bytes > MAX_FORCED_BYTES:
        refuse(f"The {subject} requires an endless answer.", "Make the part that holds itself optional.")
    return matcher


class CompiledGrammar:
    """A grammar ready to use. ``start`` costs microseconds, as what was compiled is shared."""

    def __init__(self, tokenizer: LLTokenizer, vocab_size: int, compile_matcher: Callable[[], LLMatcher]) -> None:
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._compile_matcher = compile_matcher
        self._matcher: LLMatcher | None = compile_matcher()
        self._lock = threading.Lock()

    def start(self) -> GrammarState:
        """Give the state before the first token. Compiles again where an answer had reached the limits."""
        with self._lock:
            if self._matcher is None:
                self._matcher = self._compile_matcher()
            return GrammarState(self, self._tokenizer, self._matcher.deep_copy(), self._vocab_size)

    def forget(self) -> None:
        """Let go of what is shared, after an answer has filled it up: other answers would fail at once."""
        with self._lock:
            self._matcher = None


class GrammarState:
    """How far one answer has come in its grammar."""

    def __init__(
        self,
        grammar: CompiledGrammar,
        tokenizer: LLTokenizer,
        matcher: LLMatcher,
        vocab_size: int,
        *,
        has_ended: bool = False,
    ) -> None:
        self._grammar = grammar
        self._tokenizer = tokenizer
        self._matcher = matcher
        self._vocab_size = vocab_size
        # An end token is kept here and not given to the matcher, which would not take it back.
        self._has_ended = has_ended

    @property
    def can_stop(self) -> bool:
        """Whether the answer may end here."""
        return self._has_ended or self._matcher.is_accepting()

    @property
    def is_complete(self) -> bool:
        """Whether nothing but the end can follow, or the end has come: no step is needed to know it."""
        return self._has_ended or (self._matcher.is_stopped() and not self._matcher.is_error())

    def allowed(self) -> NDArray[np.bool_]:
        """Give the tokens that may come next, bool ``(vocabulary,)``; at least one. Errors: ``GrammarError``."""
        if self.is_complete:
            mask = np.zeros(self._vocab_size, np.bool_)
            mask[self._tokenizer.eos_tokens] = True
            return mask
        packed = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        self._check()
        return np.unpackbits(packed, count=self._vocab_size, bitorder="little").view(np.bool_)

    def apply_mask(self, logits: NDArray[np.float32]) -> None:
        """Set all tokens that may not come next to minus infinity, in place; ``logits`` is ``(vocabulary,)``."""
        logits[~self.allowed()] = -np.inf

    def accept(self, token: int) -> None:
        """Go on by one token. Errors: ``KandongError`` if it may not come next, with the state as before."""
        if token in self._tokenizer.eos_tokens and self.can_stop and not self._has_ended:
            self._has_ended = True
        elif self.is_complete or self._matcher.try_consume_tokens([token]) != 1:
            self._check()
            raise KandongError("A token was chosen that the answer's form does not allow.")
        self._check()

    def forced_tokens(self, max_tokens: int = 64) -> list[int]:
        """Give the tokens that must come next, as the tokenizer itself would cut the text; often none.

        The last forced characters are left out where they could merge with what comes after them: see
        ``likely_tokens``. Does not change the state. Errors: ``GrammarError`` over the limits.
        """
        if self.is_complete:
            return []
        tokens = self._matcher.compute_ff_tokens()
        tail = self._forced_tail(tokens) if len(tokens) < max_tokens else []
        if tail and self._never_merges(tokens, tail):
            tokens = tokens + tail
        tokens = tokens[:max_tokens]
        # The tokenizer writes e + ◌́ as é; where the grammar wants the former, its tokens are left to the mask.
        num_valid = self._matcher.validate_tokens(tokens) if tokens else 0
        self._check()
        return tokens[:num_valid]

    def likely_tokens(self, max_tokens: int = 64) -> list[int]:
        """Give ``forced_tokens`` and after them the rest of the forced text as if nothing merged with it: a draft."""
        forced = self.forced_tokens(max_tokens)
        if self.is_complete or len(forced) == max_tokens:
            return forced
        tokens = (forced + self._forced_tail(forced))[:max_tokens]
        return tokens[: self.num_valid(tokens)]

    def _forced_tail(self, forced: Sequence[int]) -> list[int]:
        """Give the forced text after its first tokens ``forced``, cut as if nothing came after it."""
        rest = self._matcher.compute_ff_bytes()[len(self._tokenizer.decode_bytes(list(forced))) :]
        self._check()
        try:
            return self._tokenizer.tokenize_str(rest.decode("utf-8")) if rest else []
        except UnicodeDecodeError:  # the forced bytes end within a character
            return []

    def _never_merges(self, forced: Sequence[int], tail: Sequence[int]) -> bool:
        """Whether the forced text is cut into ``forced`` and ``tail`` whatever follows it.

        A token that reaches over its end begins somewhere in the tail. All that the grammar allows there are tried:
        if the tokenizer uses none of them for the text up to its end, it uses none for a longer text either, as what
        it merges never depends on what lies behind a token's end. ``":`` before true or 9 is so, as Qwen's tokenizer
        parts marks from letters and digits first, but not before -5, which it writes with one token ``":-``.
        """
        rest = self._tokenizer.decode_bytes(list(tail))
        if not rest.isascii():
            return False  # a token may begin within a character, where no text can be cut
        whole = [*forced, *tail]
        text = self._tokenizer.decode_bytes(whole)
        for start in range(len(rest)):
            ahead = self._matcher.deep_copy()
            before = [*forced, *self._tokenizer.tokenize_str(rest[:start].decode())]
            if before and ahead.try_consume_tokens(before) != len(before):
                return False
            packed = np.frombuffer(ahead.compute_bitmask(), np.uint8)
            tokens = np.flatnonzero(np.unpackbits(packed, count=self._vocab_size, bitorder="little"))
            if len(tokens) > _MAX_TRIED_TOKENS:
                return False
            for token in map(int, tokens):
                spelled = self._tokenizer.decode_bytes([token])
                if len(spelled) > len(rest) - start and not self._begins_with(
                    text[: len(text) - len(rest) + start] + spelled, whole
                ):
                    return False
        return True

    def _begins_with(self, text: bytes, tokens: Sequence[int]) -> bool:
        """Whether the tokenizer's cut of a text begins with ``tokens``; not known, so no, within a character."""
        try:
            return self._tokenizer.tokenize_str(text.decode("utf-8"))[: len(tokens)] == list(tokens)
        except UnicodeDecodeError:
            return False

    def num_valid(self, draft: Sequence[int]) -> int:
        """Count how many tokens of a draft the grammar allows from its beginning; does not change the state."""
        if self._has_ended:
            return 0
        eos = set(self._tokenizer.eos_tokens)
        end = next((i for i, token in enumerate(draft) if token in eos), len(draft))
        count = 0 if self.is_complete else self._matcher.validate_tokens(list(draft[:end]))
        self._check()
        if count < end or end == len(draft):
            return count
        ahead = self.copy()
        for token in draft[:end]:
            ahead.accept(token)
        return end + int(ahead.can_stop)

    def masks_for_draft(self, draft: Sequence[int]) -> list[NDArray[np.bool_]]:
        """Give the allowed tokens before each token of a draft and after the last: bool ``(vocabulary,)`` each.

        The list ends early, with the mask that forbids it, at the first token that is not allowed, and after an end
        token. Does not change the state.
        """
        ahead = self.copy()
        masks = [ahead.allowed()]
        for token in draft:
            if ahead._has_ended or not masks[-1][token]:
                break
            ahead.accept(token)
            masks.append(ahead.allowed())
        return masks

    def rollback(self, num_tokens: int) -> None:
        """Take back the last accepted tokens. Errors: ``KandongError`` if there are not so many."""
        num_ends = min(num_tokens, int(self._has_ended))
        if num_tokens > num_ends and not self._matcher.rollback(num_tokens - num_ends):
            raise KandongError("More tokens were to be taken back than the answer has.")
        if num_ends:
            self._has_ended = False

    def copy(self) -> GrammarState:
        """Give an independent state at the same place."""
        matcher = self._matcher.deep_copy()
        return GrammarState(self._grammar, self._tokenizer, matcher, self._vocab_size, has_ended=self._has_ended)

    def _check(self) -> None:
        if self._matcher.is_error():
            self._grammar.forget()
            raise GrammarError(
                "The answer's form needs too much work for one token.",
                hint="Make the schema or pattern simpler.",
                field="response_format",
            )


def _without_control_names(specification: Mapping[str, Any]) -> dict[str, Any]:
    """Rename all added tokens to what no text holds, so that text that looks like one is cut into ordinary tokens."""
    added = [
        dict(token) | {"content": f"\ue000{token['id']}\ue001", "special": True}
        for token in specification.get("added_tokens") or []
    ]
    return dict(specification) | {"added_tokens": added, "post_processor": None}


def _json_grammar(schema: str) -> str:
    options: JsonCompileOptions = {"whitespace_flexible": False, "coerce_one_of": False, "lenient": False}
    return LLMatcher.grammar_from_json_schema(schema, overrides=options)


def _pattern_grammar(pattern: str) -> str:
    return f"start: /{regex_to_lark(pattern, 'd')}/"


def _choice_grammar(choices: str) -> str:
    # Strings of a grammar in Lark's notation are written as in JSON.
    return LLMatcher.grammar_from_lark("start: " + " | ".join(json.dumps(c) for c in json.loads(choices)))
