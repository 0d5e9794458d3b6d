"""PP-OCR's graphs: where text is, what a line says, whether it stands on its head.

Owns: the weights in RapidOCR's wheel, opened once, its sessions of detector and classifier, and one lock around these.
Must not know: tiles, reading order, what the text means; how a line is read is in recogniser.py.

RapidOCR brings the weights, two sessions and the step from a probability map to boxes. Scaling is here: pictures keep
their size.
"""

from __future__ import annotations

import copy
import importlib.metadata
import importlib.util
import logging
import math
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from kandong.errors import ModelError
from kandong.reading.quads import Boxes, Quads, Rgb, no_boxes, no_quads, overlap_shares, upright_boxes
from kandong.reading.recogniser import RawLine, Recogniser, planes_of
from kandong.reading.worn_weights import put_weights, worn_weights

_WEIGHTS: Final = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
}
_INSTALL_AGAIN: Final = "Install again: pip install --force-reinstall rapidocr==3.10.*"
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
# Noise as its standard deviation in steps of 255: drawn and compressed pictures have none, dim photographs 10 to 35.
_NOISY_ABOVE: Final = 6.0
_GRAIN_SIGMA_PX: Final = 1.5
# So many rows from the middle tell whether a whole picture is noisy.
_NOISE_ROWS_PX: Final = 2000
# Light and contrast are measured in surroundings of about this size, on a picture smaller by the first figure.
_LIGHT_SHRINK: Final = 8
_LIGHT_SIGMA_PX: Final = 60.0
_EVEN_CONTRAST: Final = 30.0
_MIN_CONTRAST: Final = 4.0
_MAX_AMPLIFICATION: Final = 4.0
_UPSIDE_DOWN_CONF: Final = 0.9


class Ocr:
    """The three graphs. Any thread may call; one at a time detects or classifies, with all cores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        engine = _open_rapidocr()
        self._detector = engine._load_det_model()
        self._classifier = engine._load_cls_model()
        self._recogniser = Recogniser(recogniser_weights())
        worn_weights()  # that they are there is better known now than at the first worn line
        self._for_worn_lines: Recogniser | None = None
        self._opening = threading.Lock()

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
        planes = planes_of(_restored(image))
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

    def read(self, crops: Iterable[Rgb]) -> list[RawLine]:
        """Read straightened crops of one line each, in order. A crop may have any size from 1×1."""
        return self._recogniser.read(crops)

    def read_worn(self, crops: Iterable[Rgb]) -> list[RawLine]:
        """Read crops of worn lines: by the bundled weights and those trained on such lines together.

        The first call opens the latter, which takes about half a second.
        """
        with self._opening:
            if self._for_worn_lines is None:
                self._for_worn_lines = Recogniser(recogniser_weights(), change=put_weights)
        return self._recogniser.read_together(self._for_worn_lines, crops)

    def upside_down_share(self, crops: Sequence[Rgb]) -> float:
        """Give the share of crops that surely stand on their head; 0.0 without any."""
        usable = [np.ascontiguousarray(crop[:, :, ::-1]) for crop in crops if min(crop.shape[:2]) > 3]
        if not usable:
            return 0.0
        with self._lock:
            labels = self._classifier(usable).cls_res
        num_turned = sum(bool(label == "180" and conf > _UPSIDE_DOWN_CONF) for label, conf in labels)
        return num_turned / len(usable)


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
    packages = ("rapidocr", "openvino", "opencv-python-headless", "zxing-cpp", "opencc", "jieba")
    versions = [f"{name}={importlib.metadata.version(name)}" for name in packages]
    return (*versions, *_WEIGHTS.values(), worn_weights().name)


def weights_bytes() -> int:
    """Give the size of the weights, without loading them. Errors: ``ModelError`` where they are missing."""
    folder = _weights_folder()
    _check_weights(folder)
    return sum((folder / name).stat().st_size for name in _WEIGHTS.values()) + worn_weights().stat().st_size


def recogniser_weights() -> Path:
    """Name the file of the recogniser's weights. Errors: ``ModelError`` where they are missing."""
    folder = _weights_folder()
    _check_weights(folder)
    return folder / _WEIGHTS["Rec"]


def _weights_folder() -> Path:
    specification = importlib.util.find_spec("rapidocr")  # importing it takes most of a second
    if specification is None or specification.origin is None:
        raise ModelError("The package rapidocr is missing.", hint=_INSTALL_AGAIN)
    return Path(specification.origin).parent / "models"


def _check_weights(folder: Path) -> None:
    missing = [name for name in _WEIGHTS.values() if not (folder / name).is_file()]
    if missing:
        # Without this check RapidOCR would try to fetch them.
        raise ModelError(
            f"The OCR weights {', '.join(missing)} are missing from this installation.", hint=_INSTALL_AGAIN
        )


def _open_rapidocr() -> Any:
    import rapidocr

    folder = _weights_folder()
    _check_weights(folder)
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


def _restored(image: Any) -> Any:
    """Give a picture as the detector sees most in it: out of focus sharpened, full of noise evened, else as it is."""
    gray = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    if _is_blurred(gray):
        return _sharpened(image)
    return _evened(image) if _noise_of(gray) > _NOISY_ABOVE else image


def without_grain(rgb: Rgb) -> Rgb:
    """Give a noisy picture softened by so much that its grain is gone; any other as it is."""
    if min(rgb.shape[:2]) < 4:
        return rgb
    image = np.ascontiguousarray(rgb)
    first = max(0, (len(image) - _NOISE_ROWS_PX) // 2)
    middle: Any = cv2.cvtColor(image[first : first + _NOISE_ROWS_PX], cv2.COLOR_RGB2GRAY)
    if _noise_of(middle) <= _NOISY_ABOVE:
        return rgb
    return np.asarray(cv2.GaussianBlur(image, (0, 0), _GRAIN_SIGMA_PX), dtype=np.uint8)


def _noise_of(gray: Any) -> float:
    """Estimate the standard deviation of noise, by a mask that is blind to edges and shades (Immerkær 1996)."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    # The median, as text is no noise: of a normal deviation it is 0.6745, and the mask makes six of one.
    sample = cv2.filter2D(gray, cv2.CV_32F, mask)[::2, ::2]
    return float(np.median(np.abs(sample))) / (0.6745 * 6)


def _evened(image: Any) -> Any:
    """Take out grain, and bring light and contrast of every surrounding to the same."""
    image = cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), _GRAIN_SIGMA_PX)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    light = _surroundings(gray)
    spread = np.sqrt(_surroundings((gray - light) ** 2))
    amplified = np.clip(_EVEN_CONTRAST / np.maximum(spread, _MIN_CONTRAST), 1.0, _MAX_AMPLIFICATION)
    return np.clip((image - light[..., None]) * amplified[..., None] + 128.0, 0, 255).astype(np.uint8)


def _surroundings(values: Any) -> Any:
    """Give each pixel the mean of its surroundings; of the same shape."""
    height, width = values.shape
    size = max(1, width // _LIGHT_SHRINK), max(1, height // _LIGHT_SHRINK)
    small = cv2.GaussianBlur(
        cv2.resize(values, size, interpolation=cv2.INTER_AREA), (0, 0), _LIGHT_SIGMA_PX / _LIGHT_SHRINK
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _is_blurred(gray: Any) -> bool:
    """Whether a picture has hardly any sharp edges: generated posters have about 1,000, out of focus ones about 2."""
    return bool(cv2.Laplacian(gray, cv2.CV_32F).var() < _BLURRED_BELOW)


def _sharpened(image: Any) -> Any:
    """Take out the soft part of a picture threefold; the detector then sees lines that it misses out of focus."""
    image = np.ascontiguousarray(image)
    soft = cv2.GaussianBlur(image, (0, 0), _SOFT_SIGMA_PX)
    return cv2.addWeighted(image, 3.0, soft, -2.0, 0)
