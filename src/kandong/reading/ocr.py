"""PP-OCR's graphs: where text is, what a line says, whether it stands on its head.

Owns: RapidOCR's sessions on OpenVINO, opened once from the weights in its wheel, and one lock around them.
Must not know: tiles, reading order, what the text means.

RapidOCR brings the weights, the sessions and the step from a probability map to boxes. Scaling, batching and decoding
are here: pictures keep their size, lines are not padded to the widest one, and every character keeps its place and its
runner-up.
"""

from __future__ import annotations

import copy
import importlib.metadata
import logging
import math
import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kandong.errors import ModelError
from kandong.reading.quads import Boxes, Quads, Rgb, no_boxes, no_quads, overlap_shares, upright_boxes

_WEIGHTS: Final = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
}
# Sides are multiples of this, as the detector halves them five times.
_DETECTOR_STEP_PX: Final = 32
# The detector was trained on pictures whose short side is at least this; smaller ones are enlarged, but not beyond 3×.
_DETECTOR_SHORT_SIDE_PX: Final = 736
_DETECTOR_MAX_ENLARGEMENT: Final = 3.0
_DETECTOR_MAX_ENLARGED_PIXELS: Final = 1_600_000
# On one pixel's probability, and on a box's mean: RapidOCR's own, and those for faint lines.
_THRESHOLDS: Final = ((0.3, 0.5), (0.15, 0.3))
_TOUCHING_SHARE: Final = 0.05
# By the variance of the Laplacian.
_BLURRED_BELOW: Final = 30.0
_SOFT_SIGMA_PX: Final = 4.0
_LINE_HEIGHT_PX: Final = 48
# Widths are rounded up to steps, so that few different shapes are compiled.
_LINE_WIDTH_STEP_PX: Final = 32
_LINE_MIN_WIDTH_PX: Final = 64
_LINE_MAX_WIDTH_PX: Final = 3_200
_UPSIDE_DOWN_CONF: Final = 0.9


@dataclass(frozen=True)
class RawCharacter:
    """One character as the recogniser gave it.

    ``center`` is a fraction of the crop's width. ``runner_up`` is the second likeliest character of that place, empty
    if that is none at all.
    """

    text: str
    conf: float
    center: float
    runner_up: str
    runner_up_conf: float


@dataclass(frozen=True)
class RawLine:
    """One line as the recogniser gave it; no characters if nothing was seen."""

    characters: tuple[RawCharacter, ...]

    @property
    def text(self) -> str:
        """The text of all characters."""
        return "".join(c.text for c in self.characters)

    @property
    def conf(self) -> float:
        """Mean confidence of the characters; 0.0 without any."""
        return float(np.mean([c.conf for c in self.characters])) if self.characters else 0.0


class Ocr:
    """The three graphs. Any thread may call; one works at a time, with all cores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        engine = _open_rapidocr()
        self._detector = engine._load_det_model()
        self._recogniser = engine._load_rec_model()
        self._classifier = engine._load_cls_model()
        self._alphabet: list[str] = self._recogniser.postprocess_op.character

    def detect(self, rgb: Rgb) -> Boxes:
        """Find lines of text; quads in pixels of ``rgb``, in no particular order.

        Weak boxes are those that only a lower threshold shows, faint or blurred lines among them, and touch no other.
        """
        height, width = rgb.shape[:2]
        if min(height, width) < 4:
            return no_boxes()
        scale = _detector_scale(width, height)
        image: Any = rgb
        if scale != 1.0:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            image = cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
        high, wide = (-(-side // _DETECTOR_STEP_PX) * _DETECTOR_STEP_PX for side in image.shape[:2])
        below, beside = high - image.shape[0], wide - image.shape[1]
        if below or beside:
            image = cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_REPLICATE)
        planes = _planes(_sharpened(image) if _is_blurred(image) else image)
        with self._lock:
            probabilities = np.array(self._detector.session(planes[None]))  # (1, 1, height, width)
        sure, weak = (self._boxes(probabilities, *thresholds) / scale for thresholds in _THRESHOLDS)
        apart = (overlap_shares(upright_boxes(weak), upright_boxes(sure)) < _TOUCHING_SHARE).all(axis=1)
        quads = np.concatenate([sure, weak[apart]])
        quads[..., 0] = np.clip(quads[..., 0], 0, width)
        quads[..., 1] = np.clip(quads[..., 1], 0, height)
        return Boxes(quads, np.arange(len(quads)) >= len(sure))

    def _boxes(self, probabilities: NDArray[np.float32], pixel: float, box: float) -> Quads:
        """Turn a probability map into quads, by thresholds on pixels and on the mean of a box."""
        step = copy.copy(self._detector.postprocess_op)
        step.thresh, step.box_thresh = pixel, box
        high, wide = probabilities.shape[2:]
        found, _ = step(probabilities, (high, wide))
        return np.asarray(found, dtype=np.float32) if len(found) else no_quads()

    def read(self, crops: Sequence[Rgb]) -> list[RawLine]:
        """Read straightened crops of one line each. A crop may have any size from 1×1."""
        return [self._read_one(crop) for crop in crops]

    def upside_down_share(self, crops: Sequence[Rgb]) -> float:
        """Give the share of crops that surely stand on their head; 0.0 without any."""
        usable = [np.ascontiguousarray(crop[:, :, ::-1]) for crop in crops if min(crop.shape[:2]) > 3]
        if not usable:
            return 0.0
        with self._lock:
            labels = self._classifier(usable).cls_res
        num_turned = sum(bool(label == "180" and conf > _UPSIDE_DOWN_CONF) for label, conf in labels)
        return num_turned / len(usable)

    def _read_one(self, crop: Rgb) -> RawLine:
        planes, used = _line_planes(crop)
        with self._lock:
            values = np.array(self._recogniser.session(planes[None])[0])  # (steps, alphabet)
        return self._decode(values, used)

    def _decode(self, values: NDArray[np.float32], used: float) -> RawLine:
        """Join repeated steps and drop blanks; ``used`` is the share of the width that is not padding."""
        best = values.argmax(axis=1)
        is_new = np.ones(len(best), dtype=bool)
        is_new[1:] = best[1:] != best[:-1]
        columns = np.flatnonzero(is_new & (best != 0))
        characters = []
        for column in columns:
            row = values[column]
            second = _runner_up(row, int(best[column]))
            text, other = self._alphabet[int(best[column])], self._alphabet[second] if second else ""
            # ￥ and ¥, ： and : are one character in two widths, and doubt between them is none.
            is_same = bool(other) and unicodedata.normalize("NFKC", text) == unicodedata.normalize("NFKC", other)
            characters.append(
                RawCharacter(
                    text=text,
                    conf=min(1.0, float(row[best[column]]) + (float(row[second]) if is_same else 0.0)),
                    center=min(1.0, (int(column) + 0.5) / (len(best) * used)),
                    runner_up=other,
                    runner_up_conf=float(row[second]),
                )
            )
        return RawLine(tuple(characters))


_shared: Ocr | None = None
_shared_lock = threading.Lock()


def shared_ocr() -> Ocr:
    """Give this process's one instance, opened and warmed at the first call (about two seconds).

    Errors: ``ModelError`` where the weights are missing from the installation.
    """
    global _shared
    with _shared_lock:
        if _shared is None:
            ocr = Ocr()
            ocr.detect(np.full((640, 640, 3), 255, dtype=np.uint8))
            ocr.read([np.full((48, 320, 3), 255, dtype=np.uint8)])
            _shared = ocr
        return _shared


def pipeline_digest_parts() -> tuple[str, ...]:
    """Name what determines the result of reading apart from our own code: versions and weights."""
    packages = ("rapidocr", "openvino", "opencv-python-headless", "zxing-cpp", "opencc")
    versions = [f"{name}={importlib.metadata.version(name)}" for name in packages]
    return (*versions, *_WEIGHTS.values())


def _open_rapidocr() -> Any:
    import rapidocr

    folder = Path(rapidocr.__file__).parent / "models"
    missing = [name for name in _WEIGHTS.values() if not (folder / name).is_file()]
    if missing:
        # Without this check RapidOCR would try to fetch them.
        raise ModelError(
            f"The OCR weights {', '.join(missing)} are missing from this installation.",
            hint="Install again: pip install --force-reinstall rapidocr==3.10.*",
        )
    parameters: dict[str, Any] = {"Global.log_level": "critical"}
    for part, name in _WEIGHTS.items():
        parameters[f"{part}.engine_type"] = rapidocr.EngineType.OPENVINO
        parameters[f"{part}.model_path"] = str(folder / name)
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    return rapidocr.RapidOCR(params=parameters)


def _detector_scale(width: int, height: int) -> float:
    short = min(width, height)
    if short >= _DETECTOR_SHORT_SIDE_PX:
        return 1.0
    by_area = math.sqrt(_DETECTOR_MAX_ENLARGED_PIXELS / (width * height))
    return max(1.0, min(_DETECTOR_SHORT_SIDE_PX / short, _DETECTOR_MAX_ENLARGEMENT, by_area))


def _is_blurred(image: Any) -> bool:
    """Whether a picture has hardly any sharp edges: generated posters have about 1,000, out of focus ones about 2."""
    gray = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return bool(cv2.Laplacian(gray, cv2.CV_32F).var() < _BLURRED_BELOW)


def _sharpened(image: Any) -> Any:
    """Take out the soft part of a picture threefold; the detector then sees lines that it misses out of focus."""
    image = np.ascontiguousarray(image)
    soft = cv2.GaussianBlur(image, (0, 0), _SOFT_SIGMA_PX)
    return cv2.addWeighted(image, 3.0, soft, -2.0, 0)


def _planes(image: Any) -> NDArray[np.float32]:
    """Give (3, height, width) in blue, green, red, from -1 to 1."""
    planes = np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1), dtype=np.float32)
    planes *= 1 / 127.5
    planes -= 1.0
    return planes


def _line_planes(crop: Rgb) -> tuple[NDArray[np.float32], float]:
    """Scale a crop to the recogniser's height; gives its planes and the share of their width that is the crop."""
    height, width = crop.shape[:2]
    scaled = int(np.clip(math.ceil(_LINE_HEIGHT_PX * width / height), 1, _LINE_MAX_WIDTH_PX))
    padded = max(_LINE_MIN_WIDTH_PX, -(-scaled // _LINE_WIDTH_STEP_PX) * _LINE_WIDTH_STEP_PX)
    planes = np.zeros((3, _LINE_HEIGHT_PX, padded), dtype=np.float32)
    planes[:, :, :scaled] = _planes(cv2.resize(crop, (scaled, _LINE_HEIGHT_PX)))
    return planes, scaled / padded


def _runner_up(row: NDArray[np.float32], best: int) -> int:
    first, second = np.argpartition(row, -2)[-2:]
    return int(second if first == best else first)
