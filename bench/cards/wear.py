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
_NEXT_PLATFORM = 0.85, 1.15  # its width by the last one's


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
    sigma, dim = rng.uniform(22, 48), rng.uniform(0.3, 0.65)
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


def reposted(
    card: Card, rng: Random, *, shrink: tuple[float, float], saves: tuple[int, int], quality: tuple[int, int]
) -> Card:
    """Send through platforms: shrunk to one's width, then saved as JPEG with halved colour each time somebody posts it.

    Between two saves the picture is scaled to another platform's width, so that the blocks fall elsewhere.
    """
    scale, num_saves = rng.uniform(*shrink), rng.randint(*saves)
    image = card.image.resize(_scaled(card.image, scale), Image.Resampling.BICUBIC)
    for save in range(num_saves):
        if save:
            image = image.resize(_scaled(image, rng.uniform(*_NEXT_PLATFORM)), Image.Resampling.BILINEAR)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=rng.randint(*quality), subsampling="4:2:0")
        image = Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
    across, down = image.width / card.image.width, image.height / card.image.height
    return card.moved(image, lambda x, y: (x * across, y * down), num_saves=num_saves, scale=round(across, 2))


def _scaled(image: Image.Image, scale: float) -> tuple[int, int]:
    return round(image.width * scale), round(image.height * scale)


def _stay(x: float, y: float) -> Point:
    return x, y
