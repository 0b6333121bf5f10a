"""Tattoo: objects redrawn as ink in skin, with the skin grown around them."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from gauntlet.shifts.arguments import check_image, check_masks, check_severity
from gauntlet.shifts.fields import along, grain, plasma, shaded, window
from gauntlet.shifts.sketch import lines

# From light to deep; sampled evenly and mixed between neighbours. The deepest natural tones are left out, since
# black ink can hardly be seen there. Source: after the Monk Skin Tone scale (Google, 2022), its first eight of ten.
TONES = np.float32([
    (246, 228, 214), (240, 214, 195), (232, 198, 170), (222, 182, 148),
    (203, 158, 120), (172, 126, 92), (139, 98, 72), (108, 75, 57),
])  # fmt: skip
INK = np.float32([0.10, 0.13, 0.16])  # share of light that full black ink lets through: settled ink looks blue-green


def tattoo(
    x: np.ndarray, masks: Sequence[np.ndarray] | None = None, *, severity: int, generator: np.random.Generator
) -> np.ndarray:
    """Tattoo the objects of a picture on skin.

    Args:
        x: uint8 HW3 RGB.
        masks: bool HW, one an object; what lies outside them becomes bare skin. None inks the whole picture.
        severity: 1 (colour tattoo, fully shaded) to 5 (bare, faded, blurred line art).
        generator: source of all randomness: skin tone, its marks and light, whether the ink is coloured.

    Returns:
        uint8 HW3.

    Raises:
        ArgumentError: a wrong image, severity or mask.
    """
    height, width = check_image(x)
    objects = check_masks(masks, height=height, width=width)
    level = check_severity(severity)
    bare = skin(height, width, generator=generator)
    coloured = generator.random() < 0.5
    unit = max(1.0, min(height, width) / 240)
    if masks is None:
        objects = [_fading_border(height, width)]
    light = np.ones((height, width, 3), np.float32)
    for mask in objects:
        if mask.any():
            here = window(mask, margin_px=math.ceil(8 * unit))
            light[here] = _ink(
                light[here], x[here], mask[here], level=level, coloured=coloured, unit=unit, generator=generator
            )
    if level >= 2:
        light = cv2.GaussianBlur(light, (0, 0), (0.45, 0.6, 0.75)[level - 2] * unit)
    patchy = 1 - 0.12 * np.clip(grain(height, width, generator=generator, size_px=unit), -1.5, 1.5)
    return cv2.convertScaleAbs(bare * np.power(light, patchy[..., None]))


def _fading_border(height: int, width: int) -> np.ndarray:
    """Make an ellipse that nearly fills the picture, where a tattoo of the whole of it ends; bool HW."""
    oval = np.zeros((height, width), np.uint8)
    cv2.ellipse(oval, (width // 2, height // 2), (round(width * 0.52), round(height * 0.52)), 0, 0, 360, 1, -1)
    return oval > 0


def _ink(
    light: np.ndarray, x: np.ndarray, mask: np.ndarray, *,
    level: int, coloured: bool, unit: float, generator: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Draw one object into the field of light that the ink lets through, over older ink; float32 HW3 in [0, 1]."""
    height, width = mask.shape
    inside = mask.astype(np.float32)
    soft = cv2.GaussianBlur(inside, (0, 0), 0.7)
    grey = cv2.createCLAHE(2.5, (3, 3)).apply(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY))
    low, high = np.percentile(grey[mask], (3, 97))
    tone = np.clip((grey.astype(np.float32) - low) / max(high - low, 8), 0, 1)
    thickness = (1.2, 1.3, 1.45, 1.6, 1.8)[level] * unit
    eroded = cv2.GaussianBlur(inside, (0, 0), thickness)
    contour = np.clip(1.35 - np.abs(eroded - 0.5) * 3.4, 0, 1) * np.clip(soft * 2.2, 0, 1)
    on_grey = np.where(mask, np.uint8(tone * 255), np.uint8(tone[mask].mean() * 255))
    inner = lines(cv2.merge([on_grey] * 3), width_px=thickness * 0.75, strictness=0.014) * soft
    dots = np.clip(0.5 + 0.3 * grain(height, width, generator=generator, size_px=0.9 * unit), 0, 1)
    shade = cv2.GaussianBlur(1 - tone, (0, 0), 0.8 * unit) ** 1.3
    whip = 0.65 * shade + 0.35 * np.clip((shade * 1.5 - dots) * 3, 0, 1)
    black = np.maximum(np.maximum(contour, inner * 0.95), whip * soft * (0.85, 0.7, 0.5, 0.28, 0.08)[level])
    age = (0.97, 0.95, 0.92, 0.87, 0.8)[level]
    drawn = np.float32([1, 1, 1]) - black[..., None] * age * (1 - INK)
    if coloured:
        share = (soft * (0.75, 0.6, 0.42, 0.22, 0.0)[level])[..., None]
        drawn *= 1 - share + _coloured(x, tone) * share
    return light * (1 - soft[..., None]) + drawn * soft[..., None]


def _coloured(x: np.ndarray, tone: np.ndarray) -> np.ndarray:
    """Turn the object's hues into saturated pigments: share of light passed, float32 HW3 in [0, 1]."""
    hue, saturation, _ = cv2.split(cv2.cvtColor(cv2.bilateralFilter(x, 7, 40, 4), cv2.COLOR_RGB2HSV))
    vivid = cv2.convertScaleAbs(saturation, alpha=1.5)
    pigment = cv2.cvtColor(cv2.merge([hue, vivid, np.full_like(hue, 235)]), cv2.COLOR_HSV2RGB)
    return pigment.astype(np.float32) / 255 * (0.75 + 0.25 * tone[..., None])


def skin(height: int, width: int, *, generator: np.random.Generator) -> np.ndarray:
    """Grow a patch of skin: tone, blotches, fine creases, pores, freckles and hairs on a rounded limb.

    Args:
        height: px.
        width: px.
        generator: source of all randomness.

    Returns:
        uint8 HW3 RGB.
    """
    unit = max(1.0, min(height, width) / 240)
    place = generator.uniform(0, len(TONES) - 1.001)
    tone = TONES[int(place)] * (1 - place % 1) + TONES[int(place) + 1] * (place % 1)
    blotch = plasma(height, width, generator=generator, cells=3, octaves=4, decay=0.7) - 0.5
    flush = plasma(height, width, generator=generator, cells=2, octaves=2) - 0.5
    colour = tone * (1 + 0.10 * blotch[..., None]) + flush[..., None] * np.float32([10, -8, -9])
    crease = _creases(height, width, unit, generator=generator)
    pores = cv2.GaussianBlur(grain(height, width, generator=generator, size_px=1.6 * unit), (0, 0), 0.7 * unit)
    pores = np.clip((pores - 0.9 * pores.std()) / max(float(pores.std()), 1e-6), 0, 2)
    texture = 1.01 - 0.045 * crease - 0.022 * pores
    patch = shaded(cv2.convertScaleAbs(colour), texture * _limb(height, width, generator))
    _marks(patch, tone, unit, generator=generator)
    return patch


def _creases(height: int, width: int, unit: float, *, generator: np.random.Generator) -> np.ndarray:
    """Net the skin with the fine furrows between its cells, a little stretched one way; float32 HW in [0, 1]."""
    noise = grain(height, width, generator=generator, size_px=1.5 * unit)
    band = cv2.GaussianBlur(noise, (0, 0), 0.7 * unit) - cv2.GaussianBlur(noise, (0, 0), 1.6 * unit)
    angle = generator.uniform(0, math.pi)
    cos, sin = (np.full((height, width), part(angle), np.float32) for part in (math.cos, math.sin))
    band = along(band, cos, sin, length_px=3.5 * unit, taps=4)
    return np.exp(-np.abs(band) * (2.2 / max(float(band.std()), 1e-6)))


def _limb(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    """Shade the picture as the side of a cylinder, with a broad sheen; float32 HW around 1."""
    angle = generator.uniform(0, math.pi)
    ys, xs = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    across = np.float32(math.cos(angle) * xs + math.sin(angle) * ys) / 1.45 + np.float32(generator.uniform(-0.2, 0.2))
    round_off = np.sqrt(np.clip(1 - across**2, 0.05, 1))
    sheen = np.exp(-(((across - generator.uniform(-0.35, 0.35)) / 0.22) ** 2))
    return np.float32(0.52 + 0.5 * round_off + generator.uniform(0.02, 0.1) * sheen)


def _marks(patch: np.ndarray, tone: np.ndarray, unit: float, *, generator: np.random.Generator) -> None:
    """Add freckles and fine hairs; patch changes in place."""
    height, width = patch.shape[:2]
    layer = patch.copy()
    for _ in range(generator.poisson(generator.choice([2, 3, 40], p=[0.5, 0.3, 0.2]))):
        place = generator.uniform((0, 0), (width, height)) * 16
        size = max(8, round(16 * unit * generator.uniform(0.3, 1.1)))
        cv2.circle(layer, tuple(np.int32(place).tolist()), size, tuple((tone * 0.62).tolist()), -1, cv2.LINE_AA, 4)
    count = generator.poisson(0.0006 * height * width / unit**2) if generator.random() < 0.35 else 0
    lean = generator.uniform(-math.pi, math.pi)
    root = generator.uniform((0, 0), (width, height), (count, 2))
    angle = lean + generator.normal(0, 0.3, count)
    bend = generator.normal(0.3, 0.3, count)
    first = root + 7 * unit * np.stack([np.cos(angle), np.sin(angle)], 1)
    second = first + 6 * unit * np.stack([np.cos(angle + bend), np.sin(angle + bend)], 1)
    hairs = np.int32(np.stack([root, first, second], 1) * 16)
    cv2.polylines(layer, list(hairs), False, tuple((tone * 0.5).tolist()), 1, cv2.LINE_AA, 4)
    cv2.addWeighted(layer, 0.55, patch, 0.45, 0, dst=patch)
