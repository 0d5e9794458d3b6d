"""Sentiment of a post: its words, its pictures asked without the words, and how the two go together.

Owns: the comparison of claims with what is seen, and the verdict on the whole. Must not know: cue words (cues.py),
rules. A photo without the gift only supports a complaint: nothing here is ever "proved".
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from kandong.errors import KandongError
from kandong.tasks.case import Answers, Case, Conclusion, greedy, json_answer, json_form
from kandong.tasks.cues import Claim, Cues, find_cues, polarity_of
from kandong.tasks.describe import BLIND
from kandong.tasks.evidence import evidence_to_dict
from kandong.tasks.running import Job
from kandong.vlm.request import AnswerForm

SENTIMENT: Final = "sentiment"
POLARITIES: Final = ("positive", "neutral", "negative", "mixed")
_ASPECTS: Final = ("物流", "包装", "质量", "服务", "价格", "赠品", "效果", "外观", "味道", "尺寸", "其他")
_OBSERVED: Final = {"有": "yes", "没有": "no", "看不清": "unclear"}
_MAX_ASKED: Final = 3
_MAX_TOKENS: Final = 240
_SCORES: Final = {"positive": 1.0, "neutral": 0.0, "mixed": 0.0, "negative": -1.0}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "polarity": {"enum": list(POLARITIES)},
        "intensity": {"type": "integer", "minimum": 1, "maximum": 5},
        "aspects": {
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {
                    "quote": {"type": "string", "maxLength": 16},
                    "aspect": {"enum": list(_ASPECTS)},
                    "polarity": {"enum": list(POLARITIES[:3])},
                },
                "required": ["quote", "aspect", "polarity"],
                "additionalProperties": False,
            },
        },
        "demand": {"enum": ["refund", "resend", "reply", "none"]},
        "urgency": {"enum": ["low", "medium", "high"]},
        "claims": {
            "type": "array",
            "maxItems": 2,
            "items": {
                "type": "object",
                "properties": {
                    "quote": {"type": "string", "maxLength": 20},
                    "object": {"type": "string", "maxLength": 8},
                    "expected": {"enum": ["present", "absent"]},
                },
                "required": ["quote", "object", "expected"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["polarity", "intensity", "aspects", "demand", "urgency", "claims"],
    "additionalProperties": False,
}


def sentiment_jobs(case: Case) -> dict[str, Job]:
    """Give the request about the words, and a closed question about each thing that the words miss or show."""
    if not case.has_model:
        return {}
    jobs: dict[str, Job] = {}
    if case.post.text.strip():
        text = case.prompts["sentiment"].text
        jobs[SENTIMENT] = Job(case.words_only(text, form=json_form(SCHEMA), sampling=greedy(_MAX_TOKENS)))
    if case.post.pictures:
        form = AnswerForm("choice", list(_OBSERVED))
        for claim in _asked_claims(case):
            text = case.prompts["presence"].fill(object=claim.object)
            jobs[f"presence {claim.object}"] = Job(case.blind(text, form=form, sampling=greedy(8)))
    return jobs


def conclude_sentiment(case: Case, answers: Answers) -> Conclusion:
    """Give the sentiment of words and pictures, their relation, and each claim against what is seen."""
    cues = find_cues(case.post.text)
    said, warnings = json_answer(answers, SENTIMENT)
    seen, more = json_answer(answers, BLIND)
    text = _text(case, cues, said)
    claims = _claims(case, cues, said, seen, answers)
    image = {
        "asked_blind": seen is not None,
        "polarity": None if seen is None else seen.get("mood"),
        "damage": None if seen is None else seen.get("damage"),
    }
    relation = _relation(case, text, image, claims)
    is_ironic = bool(cues.sarcasm) or (text["polarity"] == "positive" and relation == "contradict")
    unchecked = []
    if case.post.pictures and seen is None:
        unchecked.append("图片的情绪、说法与画面是否相符（没有模型）")
    if said is None and case.post.text.strip():
        unchecked.append("隐含的情绪（没有模型，只按用词判断）")
    result = {
        "overall": _overall(text, image, relation, claims),
        "text": {"polarity": text["polarity"], "score": text["score"], "decided_by": text["decided_by"]},
        "image": image,
        "relation": relation,
        "claims": claims,
        "sarcasm": {"flag": is_ironic, "cues": list(cues.sarcasm)},
        "aspects": text["aspects"],
        "demand": cues.demand or text["demand"],
        "urgency": cues.urgency or text["urgency"],
        "comments": dict(Counter(polarity_of(comment.text)[0] for comment in case.post.comments)),
        "review": is_ironic or relation == "contradict",
    }
    used = (("sentiment",) if said is not None else ()) + (("describe", "presence") if seen is not None else ())
    return Conclusion(result, (*warnings, *more), tuple(unchecked), used)


def _asked_claims(case: Case) -> list[Claim]:
    by_object = {claim.object: claim for claim in find_cues(case.post.text).claims}
    return list(by_object.values())[:_MAX_ASKED]


def _text(case: Case, cues: Cues, said: dict[str, Any] | None) -> dict[str, Any]:
    """Give what the words say: by the model, or by cue words; a quote that the post does not hold is dropped."""
    polarity, score = polarity_of(case.post.text)
    if said is None:
        return {
            "polarity": polarity, "score": score, "intensity": None, "decided_by": "words",
            "aspects": [{"aspect": a, "polarity": p, "quote": q} for a, p, q in cues.aspects],
            "demand": "none", "urgency": "low",
        }  # fmt: skip
    aspects = [one for one in said.get("aspects", []) if case.book.find_text(one["quote"]) is not None]
    intensity = said.get("intensity", 3)
    agreed = said.get("polarity", "neutral")
    return {
        "polarity": agreed,
        "score": round(_SCORES.get(agreed, 0.0) * intensity / 5, 2),
        "intensity": intensity,
        "decided_by": "both" if agreed == polarity else "model",
        "aspects": aspects,
        "demand": said.get("demand", "none"),
        "urgency": said.get("urgency", "low"),
    }


def _claims(
    case: Case, cues: Cues, said: dict[str, Any] | None, seen: dict[str, Any] | None, answers: Answers
) -> list[dict[str, Any]]:
    claims = list(cues.claims)
    known = {claim.object for claim in claims}
    for one in (said or {}).get("claims", []):
        name = str(one["object"]).strip()
        is_new = len(name) >= 2 and name not in known and not any(name in other or other in name for other in known)
        if is_new and case.book.find_text(one["quote"]) is not None and name in case.post.text:
            claims.append(Claim(one["quote"], name, one["expected"]))
    inventory = [str(thing["name"]) for thing in (seen or {}).get("objects", [])]
    coverage = "full" if seen is not None and len(case.known_readings) == len(case.post.pictures) else "partial"
    return [_judged(case, claim, _observed(claim, seen, inventory, answers), coverage) for claim in claims]


def _observed(claim: Claim, seen: dict[str, Any] | None, inventory: list[str], answers: Answers) -> str:
    """Tell whether a thing is seen: by the blind inventory, by the closed question, else unclear."""
    if claim.expected == "state":
        return "unclear" if seen is None else ("yes" if seen.get("damage") else "no")
    if any(claim.object in name or name in claim.object for name in inventory if name):
        return "yes"
    answer = answers.get(f"presence {claim.object}")
    if answer is None or isinstance(answer, KandongError):
        return "unclear"
    return _OBSERVED.get(answer.text.strip(), "unclear")


def _judged(case: Case, claim: Claim, observed: str, coverage: str) -> dict[str, Any]:
    wanted = {"absent": "no", "present": "yes", "state": "yes"}[claim.expected]
    verdict = "unverifiable"
    if observed != "unclear":
        verdict = "supported" if observed == wanted else "refuted"
    if verdict == "refuted" and claim.expected != "absent":
        verdict = "unverifiable"  # what one photo does not show may be there all the same
    evidence = case.book.find_text(claim.text)
    return {
        "text": claim.text,
        "object": claim.object,
        "expected": claim.expected,
        "observed": observed,
        "coverage": coverage,
        "verdict": verdict,
        "evidence": None if evidence is None else evidence_to_dict(evidence),
    }


def _relation(case: Case, text: dict[str, Any], image: dict[str, Any], claims: list[dict[str, Any]]) -> str:
    if not case.post.pictures:
        return "no_image"
    verdicts = {claim["verdict"] for claim in claims}
    if "refuted" in verdicts:
        return "contradict"
    if text["polarity"] == "positive" and image["damage"]:
        return "contradict"
    if text["polarity"] == "negative" and (image["damage"] or "supported" in verdicts):
        return "image_supports_text"
    if image["polarity"] is not None and image["polarity"] == text["polarity"]:
        return "agree"
    return "unrelated"


def _overall(
    text: dict[str, Any], image: dict[str, Any], relation: str, claims: list[dict[str, Any]]
) -> dict[str, Any]:
    """Weigh words before pictures: what people write is their sentiment, what they show is a background."""
    polarity, score = text["polarity"], text["score"]
    if polarity == "neutral" and image["polarity"] not in (None, "neutral"):
        polarity, score = image["polarity"], round(0.4 * _SCORES[image["polarity"]], 2)
    if relation == "contradict" and polarity == "positive" and not claims:
        polarity, score = "mixed", 0.0
    intensity = text["intensity"] or max(1, min(5, round(5 * abs(score))))
    return {"polarity": polarity, "score": score, "intensity": intensity}
