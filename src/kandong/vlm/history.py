"""Long conversations: which rounds of a conversation the model still sees.

Owns: what is dropped when a conversation outgrows its budget. Must not know: how tokens are counted, the context.

A round is a question with the answers after it. Over the budget the oldest rounds go, down to three quarters of it, so
that the following questions find their common prefix computed; system messages and all pictures stay, and so do the
last ``min_rounds`` rounds before the question. The choice depends on the rounds alone, not on when it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kandong.errors import InputError
from kandong.vlm.prompt import Message, PicturePart
from kandong.vlm.request import HistoryLimits

_KEPT_SHARE = 0.75
CountTokens = Callable[[Message], int]
Round = list[Message]


def trim_history(
    messages: Sequence[Message], limits: HistoryLimits, default_budget_tokens: int, count: CountTokens
) -> tuple[list[Message], int]:
    """Give the messages that stay, and how many rounds were dropped. ``count`` counts a message with its pictures.

    Errors: ``InputError`` for limits out of range.
    """
    if limits.min_rounds < 0:
        raise InputError(f"min_rounds is {limits.min_rounds}, it must be at least 0.", field="min_rounds")
    if limits.budget_tokens is not None and limits.budget_tokens < 1:
        raise InputError(f"budget_tokens is {limits.budget_tokens}, it must be at least 1.", field="budget_tokens")
    budget = default_budget_tokens if limits.budget_tokens is None else min(limits.budget_tokens, default_budget_tokens)
    system, rounds = _split(messages)
    num_dropped = _count_dropped(system, rounds, limits.min_rounds, budget, count)
    if not num_dropped:
        return list(messages), 0
    pictures = [part for dropped in rounds[:num_dropped] for part in _pictures(dropped)]
    kept = [message for kept_round in rounds[num_dropped:] for message in kept_round]
    kept[0] = Message(kept[0].role, (*pictures, *kept[0].parts))
    return [*system, *kept], num_dropped


def _split(messages: Sequence[Message]) -> tuple[list[Message], list[Round]]:
    """Tell the system messages before the first question from the rounds; the last round is the question to answer."""
    system: list[Message] = []
    rounds: list[Round] = []
    for message in messages:
        if message.role == "user":
            rounds.append([message])
        elif rounds:
            rounds[-1].append(message)
        else:
            system.append(message)
    return system, rounds


def _pictures(messages: Round) -> list[PicturePart]:
    return [part for message in messages for part in message.parts if isinstance(part, PicturePart)]


def _count_dropped(
    system: list[Message], rounds: list[Round], min_rounds: int, budget_tokens: int, count: CountTokens
) -> int:
    """Go through the conversation as it grew, question by question, and drop whenever it had outgrown the budget."""
    fixed = sum(map(count, system))
    costs = [sum(map(count, one)) for one in rounds]
    in_pictures = [sum(count(Message("user", (part,))) for part in _pictures(one)) for one in rounds]
    num_dropped = 0
    total = fixed
    for i, cost in enumerate(costs):
        total += cost
        if total <= budget_tokens:
            continue
        while total > _KEPT_SHARE * budget_tokens and i - num_dropped > min_rounds:
            total -= costs[num_dropped] - in_pictures[num_dropped]
            num_dropped += 1
    return num_dropped
