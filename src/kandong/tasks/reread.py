"""Reading once more with the model: uncertain lines and lines with numbers from enlarged crops, or whole pictures.

Owns: which lines are read again, their crops, and whether both readings agree. Must not know: OCR, who asks for it.
A disagreement is shown, never resolved in silence.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from PIL import Image

from kandong.errors import KandongError
from kandong.reading.report import ImageReading, TextLine
from kandong.tasks.case import Answers, Case, Conclusion, greedy
from kandong.tasks.dense import tiles_of
from kandong.tasks.evidence import find_values, values_of
from kandong.tasks.running import Job
from kandong.types import Picture
from kandong.vlm.request import Answer

MAX_LINES: Final = 16
_CROP_HEIGHT_PX: Final = 64
_MAX_ENLARGED: Final = 3.0
_MARGIN: Final = 0.35
_LINE_TOKENS: Final = 64
_MAX_PAGE_TOKENS: Final = 1_024
_ALIKE: Final = 0.4


def reread_jobs(case: Case) -> dict[str, Job]:
    """Give a request for each line to be read again (``auto``), or for each picture (``model``); none for ``fast``."""
    if not case.has_model or case.options.mode == "fast":
        return {}
    if case.options.mode == "model":
        return dict(_page_jobs(case))
    jobs = {}
    for reading, line in lines_to_reread(case):
        crop = crop_of(case.post.pictures[reading.index], line)
        request = case.alone([crop], case.prompts["reread"].text, sampling=greedy(_LINE_TOKENS))
        jobs[f"line {reading.index} {line.id}"] = Job(request)
    return jobs


def lines_to_reread(case: Case) -> list[tuple[ImageReading, TextLine]]:
    """Choose lines by need: those that OCR is not sure of, then those with numbers, up to ``MAX_LINES``."""
    wanted = [
        (reading, line, not line.low_conf)
        for reading in case.known_readings
        for line in reading.lines
        if line.low_conf or any(number.line_id == line.id for number in reading.numbers)
    ]
    return [(reading, line) for reading, line, _ in sorted(wanted, key=lambda one: one[2])][:MAX_LINES]


def crop_of(picture: Picture, line: TextLine) -> Picture:
    """Cut a line out with some margin, and enlarge small print."""
    x0, y0, x1, y1 = line.box
    margin = max(4, round(_MARGIN * (y1 - y0)))
    top, left = max(0, y0 - margin), max(0, x0 - margin)
    rgb = picture.rgb[top : y1 + margin, left : x1 + margin]
    scale = min(_MAX_ENLARGED, max(1.0, _CROP_HEIGHT_PX / max(1, rgb.shape[0])))
    if scale > 1:
        size = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
        rgb = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))
    return Picture(np.ascontiguousarray(rgb), picture.format)


def reread_texts(case: Case, answers: Answers) -> dict[tuple[int, str], str]:
    """Give what the model read, by image index and line id; of whole pictures, the line most alike.

    An answer that is not even like the line is no reading of it (a refusal, a description), and counts for nothing.
    """
    texts: dict[tuple[int, str], str] = {}
    for reading in case.known_readings:
        page = answers.get(f"page {reading.index}")
        rows = page.text.splitlines() if isinstance(page, Answer) else []
        for line in reading.lines:
            answer = answers.get(f"line {reading.index} {line.id}")
            if isinstance(answer, Answer):
                text = " ".join(answer.text.split())
                if _alike(line.text, text) >= _ALIKE:
                    texts[reading.index, line.id] = text
            elif (alike := _most_alike(line.text, rows)) is not None:
                texts[reading.index, line.id] = alike
    return texts


def conclude_read(case: Case, answers: Answers) -> Conclusion:
    """Give everything read; for lines read twice, both readings and whether they agree."""
    warnings: list[str] = []
    errors = {a.code for name, a in answers.items() if isinstance(a, KandongError) and name[:4] in ("line", "page")}
    warnings += [f"有的文字没有重读成（{code}）" for code in sorted(errors)]
    unchecked = [f"图{i + 1}的文字（没有读成）" for i, reading in enumerate(case.readings) if reading is None]
    if case.options.mode != "fast" and not case.has_model and case.post.pictures:
        unchecked.append("文字的第二次识别（没有模型）")
    if case.options.mode == "auto" and case.has_model:
        num_left = sum(
            line.low_conf for r in case.known_readings for line in r.lines if (r.index, line.id) not in case.reread
        )
        unchecked += [f"{num_left} 行不确定的文字没有重读（每帖最多 {MAX_LINES} 行）"] if num_left else []
    images = [_image(case, reading, answers) for reading in case.known_readings]
    num_disagreeing = sum(line["agree"] is False for image in images for line in image["lines"])
    if num_disagreeing:
        warnings.append(f"{num_disagreeing} 行两次读得不一样")
    used = {"auto": ("reread",), "model": ("page",), "fast": ()}[case.options.mode]
    result = {"mode": case.options.mode, "images": images}
    is_failed = bool(case.post.pictures) and not images
    return Conclusion(result, tuple(warnings), tuple(unchecked), used, is_failed)


def agrees(ocr: str, vlm: str) -> bool:
    """Tell whether two readings of a line are the same but for blanks, width and punctuation."""
    return _folded(ocr) == _folded(vlm)


def _image(case: Case, reading: ImageReading, answers: Answers) -> dict[str, Any]:
    value = reading.to_dict()
    for line in value["lines"]:
        text = case.reread.get((reading.index, line["id"]))
        line["vlm_text"] = text
        line["agree"] = None if text is None else agrees(line["text"], text)
    for number in value["numbers"]:
        text = case.reread.get((reading.index, number["line_id"]))
        number["verified_by"] = _verified_by(number, reading, text)
    page = answers.get(f"page {reading.index}")
    if case.options.mode == "model":
        value["model_text"] = page.text if isinstance(page, Answer) else None
        value["model_truncated"] = isinstance(page, Answer) and page.finish_reason != "stop"
    return value


def _verified_by(number: Mapping[str, Any], reading: ImageReading, text: str | None) -> list[str]:
    found = list(number["verified_by"])
    if text is None:
        return found
    line = reading.line(number["line_id"])
    own = next((n for n in find_values([line.text])[0] if list(n.span) == number["span"]), None)
    if own is not None and values_of(own) in [values_of(other) for other in find_values([text])[0]]:
        found.append("vlm")
    return found


def _page_jobs(case: Case) -> Iterator[tuple[str, Job]]:
    assert case.config is not None, "asked only with a model"
    for reading in case.known_readings:
        picture = case.post.pictures[reading.index]
        tiles = tiles_of(picture, reading, case.config.pixels, case.budget)
        drafts = tuple(line.text for line in reading.lines)
        # Twice what OCR read: a page in a loop ends, and what OCR missed has room.
        sampling = greedy(min(_MAX_PAGE_TOKENS, 64 + 2 * len(reading.full_text)))
        text = case.prompts["page"].text
        request = case.alone([*(tiles or [picture])], text, sampling=sampling, draft_sources=drafts, budget=case.budget)
        yield f"page {reading.index}", Job(request)


def _most_alike(text: str, rows: list[str]) -> str | None:
    best = max(rows, key=lambda row: _alike(text, row), default=None)
    return best if best is not None and _alike(text, best) >= _ALIKE else None


def _alike(a: str, b: str) -> float:
    return difflib.SequenceMatcher(None, _folded(a), _folded(b), autojunk=False).ratio()


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold().replace("¥", "").replace("￥", "")
    return "".join(c for c in plain if not c.isspace() and (c in ".-%+" or not unicodedata.category(c).startswith("P")))
