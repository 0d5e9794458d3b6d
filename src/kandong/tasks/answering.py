"""Answering a question about a post, or analysing it in 200 characters where none is asked; with what bears it out.

Owns: the report of ``ask``, and what can be answered without a model. Must not know: how the model is run.
"""

from __future__ import annotations

from typing import Any, Final

from kandong.errors import KandongError
from kandong.tasks.assist import CheckedAnswer, check_answer
from kandong.tasks.case import Answers, Case, Conclusion, greedy
from kandong.tasks.evidence import SourcedNumber
from kandong.tasks.number_check import check_numbers
from kandong.tasks.number_match import asked_by, role_group
from kandong.tasks.running import Job

ASK: Final = "ask"
WORDS: Final = "words"
_MAX_TOKENS: Final = 200
_ABSTAINED: Final = "没有提到"


def ask_jobs(case: Case) -> dict[str, Job]:
    """Give the request for the answer; none without a model."""
    if not case.has_model:
        return {}
    question = case.options.question
    text = case.prompts["analysis"].text if question is None else case.prompts["ask"].fill(question=question)
    return {ASK: Job(case.with_words(text, sampling=greedy(_MAX_TOKENS)), WORDS)}


def conclude_ask(case: Case, answers: Answers) -> Conclusion:
    """Give the answer with the state of each number, or say why there is none."""
    question = case.options.question
    used = ("words", "analysis" if question is None else "ask")
    answer = answers.get(ASK)
    if answer is None or isinstance(answer, KandongError):
        warnings = () if answer is None else (f"模型没有答完（{answer.code}）",)
        return _by_reading(case, warnings)
    checked = check_answer(answer.text, case.book, question or "")
    warnings = () if answer.finish_reason == "stop" else ("回答到了长度上限，可能不完整",)
    other = _other_number(case, checked, question or "")
    result = _result(case, answer.text.strip(), checked, "ocr_disagrees" if other else None)
    result["ocr_answer"] = other
    return Conclusion(result, warnings, (), used)


def _by_reading(case: Case, warnings: tuple[str, ...]) -> Conclusion:
    """Answer a question for one labelled number from what was read; anything else is not answered."""
    question = case.options.question
    number = _asked_number(case, question or "")
    unchecked = ("问题的回答（没有模型）",) if number is None else ("画面内容（没有模型，答案只来自读到的文字）",)
    answer = _ABSTAINED if number is None else number.number.raw
    checked = check_answer(answer, case.book, question or "")
    result = _result(case, answer if number is not None else None, checked, None if number is not None else "no_model")
    result["verified"] = "none" if number is None else "ocr"
    result["ocr_answer"] = None if number is None else number.number.raw
    return Conclusion(result, warnings, unchecked, ())


def _result(case: Case, answer: str | None, checked: CheckedAnswer, reason: str | None) -> dict[str, Any]:
    marks = checked.to_dict()
    by = {"found": "ocr", "computed": "arithmetic"}
    return {
        "question": case.options.question,
        "answer": answer,
        "answer_type": marks["answer_type"],
        "evidence": marks["evidence"],
        "marks": marks["marks"],
        "verified": marks["verified"],
        "votes": [
            {"value": mark["value"], "by": ["vlm", by[mark["state"]]] if mark["state"] in by else ["vlm"]}
            for mark in marks["marks"]
        ],
        "abstained": marks["abstained"],
        "reason": reason,
        "suspected_instructions": marks["suspected_instructions"],
    }


def _asked_number(case: Case, question: str) -> SourcedNumber | None:
    """Find the one number that a question asks for, where the post labels exactly one value so."""
    asked = asked_by(question)
    if asked.kind is None:
        return None
    kinds = {asked.kind} | ({"id", "wechat"} if asked.kind == "wechat" else set())
    found = [
        n
        for n in case.book.trusted()
        if n.number.kind in kinds
        and (asked.kind != "price" or (asked.role and role_group(n.number.price_kind) == role_group(asked.role)))
    ]
    return found[0] if len({n.number.canonical for n in found}) == 1 and asked.kind != "qty" else None


def _other_number(case: Case, checked: CheckedAnswer, question: str) -> str | None:
    """Give what OCR read for the question, where the answer's only number is another."""
    number = _asked_number(case, question)
    if number is None or len(checked.marks) != 1 or checked.marks[0].state != "unverified":
        return None
    same = check_numbers(number.number.raw, case.book, question)
    return number.number.raw if same and same[0].value != checked.marks[0].value else None
