"""What happens to a card on its way: turned, photographed, blurred, compressed.

Owns: the damage and the way of points through it. Must not know: what the card says.
"""

from __future__ import annotations

import io
import math
from random import Random

import numpy as np
from PIL import Image, ImageFilter

from bench.cards.truth import Card, Point

MAX_TURN_DEGREES = 5.0


def turned(card: Card, rng: Random) -> Card:
    """Turn by 1 to 5 degrees either way, on a grown canvas of the corner's colour."""
    degrees = rng.uniform(1.0, MAX_TURN_DEGREES) * rng.choice((-1, 1))
    image = card.image
    corner = image.getpixel((0, 0))
    grown = image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=corner)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def move(x: float, y: float) -> Point:
        dx, dy = x - image.width / 2, y - image.height / 2
        return dx * cos + dy * sin + grown.width / 2, -dx * sin + dy * cos + grown.height / 2

    return card.moved(grown, move, turn_degrees=round(degrees, 2))


def photographed(card: Card, rng: Random) -> Card:
    """Add uneven light and the noise of a small sensor."""
    sigma, dim = rng.uniform(14, 34), rng.uniform(0.45, 0.8)
    noise = np.random.default_rng(rng.getrandbits(32))
    pixels = np.asarray(card.image, np.float32)
    height, width, _ = pixels.shape
    angle = rng.uniform(0, 2 * math.pi)
    ys, xs = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    light = 1 - (1 - dim) * (1 + (xs * math.cos(angle) + ys * math.sin(angle)) / math.sqrt(2)) / 2
    worn = pixels * light[..., None] + noise.normal(0, sigma, pixels.shape)
    image = Image.fromarray(np.clip(worn, 0, 255).astype(np.uint8))
    return card.moved(image, _stay, noise_sigma=round(sigma, 1), dim=round(dim, 2))


def blurred(card: Card, rng: Random) -> Card:
    """Blur as a lens out of focus, by a share of the smallest type, so that a person can still read it."""
    smallest = min(line.size_px for line in card.lines)
    radius = smallest * rng.uniform(0.06, 0.12)
    return card.moved(card.image.filter(ImageFilter.GaussianBlur(radius)), _stay, blur_px=round(radius, 2))


def compressed(card: Card, rng: Random) -> Card:
    """Shrink, compress hard as JPEG, often twice, as forwarded pictures are."""
    scale, quality = rng.uniform(0.5, 0.75), rng.randint(12, 28)
    image = card.image.resize((round(card.image.width * scale), round(card.image.height * scale)))
    for _ in range(rng.choice((1, 2))):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        image = Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
    across, down = image.width / card.image.width, image.height / card.image.height
    return card.moved(image, lambda x, y: (x * across, y * down), jpeg_quality=quality, scale=round(scale, 2))


def _stay(x: float, y: float) -> Point:
    return x, y
