"""The sample pictures that the page offers.

Owns: which there are, with titles and questions. Must not know: HTTP.
"""

from __future__ import annotations

from importlib import resources

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """A picture with a question that it can answer."""

    name: str
    title_zh: str
    title_en: str
    question_zh: str
    url: str


def _sample(name: str, title_zh: str, title_en: str, question_zh: str) -> Sample:
    return Sample(name, title_zh, title_en, question_zh, f"/api/samples/{name}")


SAMPLES = (
    _sample("card", "商品卡片", "Product card", "价格是多少？"),
    _sample("poster", "违规海报", "Poster that breaks rules", "请识别图中的文字"),
    _sample("hotpot", "套餐优惠", "Set-menu offer", "这个套餐现价和原价各是多少？"),
)


def sample_bytes(name: str) -> bytes | None:
    """Give a sample's PNG; ``None`` for a name that is none."""
    if name not in {sample.name for sample in SAMPLES}:
        return None
    return (resources.files("kandong.samples") / f"{name}.png").read_bytes()
