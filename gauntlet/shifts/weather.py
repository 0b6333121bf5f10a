"""Weather between the camera and the scene: fog, rain, snow, frost on the pane, spatter on the lens.

Fog, rain and snow thicken with distance. Where no depth is handed in they take the picture for open ground
under a horizon; `ground_depth` also stands objects with known masks on that ground.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.shifts.arguments import check_depth, check_image, check_masks, check_severity
from gauntlet.shifts.crystals import TILE_PX, frost_bank
from gauntlet.shifts.fields import in_strips, mixed, plasma, toward
from gauntlet.shifts.spatter import spatter

HORIZON = 0.3


def ground_depth(
    height: int, width: int, masks: Sequence[np.ndarray] | None = None, *, horizon: float = HORIZON
) -> np.ndarray:
    """Guess how far each pixel is: open ground under a horizon, objects upright where they touch it.

    Args:
        height: px.
        width: px.
        masks: bool HW, one an object; each takes the depth of the ground under its lowest row.
        horizon: height of the horizon as a share of the image from the top, in [0, 1).

    Returns:
        float32 HW in [0, 1]: 0 at the lower rim, 1 from the horizon upward.

    Raises:
        ArgumentError: a mask that does not fit the image, a horizon outside [0, 1).

    Source: a level camera over a plane sees distance 1 / (row - horizon); the offset 0.25 stands for its tilt.
    """
    if not 0 <= horizon < 1:
        raise ArgumentError(f"horizon must lie in [0, 1), a share of the height (not a row); got {horizon}")
    below = np.clip((np.arange(height, dtype=np.float32) / max(height - 1, 1) - horizon) / (1 - horizon), 0, 1)
    far = 1 / (below + 0.25)
    ramp = (far - 1 / 1.25) / (4 - 1 / 1.25)
    depth = np.repeat(ramp[:, None], width, 1)
    objects = [mask for mask in check_masks(masks, height=height, width=width) if mask.any()]
    feet = [int(np.flatnonzero(mask.any(1))[-1]) for mask in objects]
    for index in np.argsort(feet, kind="stable"):
        depth[objects[index]] = min(ramp[feet[index]], 0.9)
    return depth


def fog(x: np.ndarray, *, severity: int, generator: np.random.Generator, depth: np.ndarray | None = None) -> np.ndarray:
    """Hang fog banks in the scene, thicker with distance.

    Args:
        x: uint8 HW3 RGB.
        severity: 1 (haze) to 5 (the far half is gone).
        generator: source of all randomness.
        depth: float HW in [0, 1], 1 farthest; None guesses open ground.

    Returns:
        uint8 HW3.

    Raises:
        ArgumentError: a wrong image, severity or depth.

    Source: Koschmieder's law, as in Sakaridis et al., Foggy Cityscapes, IJCV 2018 (eq. 1), with the
    extinction coefficient modulated by plasma noise.
    """
    height, width, level, far = _checked(x, severity, depth)
    extinction = (0.9, 1.35, 1.9, 2.6, 3.6)[level]
    banks = plasma(height, width, generator=generator, cells=2, octaves=4, decay=0.5)
    light = np.float32(x[::8, ::8].mean((0, 1)))
    grey = generator.uniform(206, 236) + np.float32([-2, 0, 3]) * generator.uniform(-1, 2)
    colour = tuple(0.85 * grey + 0.15 * light)

    def veiled(x: np.ndarray, far: np.ndarray, bank: np.ndarray) -> np.ndarray:
        thick = cv2.multiply(bank * np.float32(1.5) + np.float32(0.2), far * np.float32(0.8) + np.float32(0.2))
        through = cv2.exp(thick * np.float32(-extinction))
        return toward(x, cv2.convertScaleAbs(through, alpha=-255, beta=255), colour)

    return in_strips(veiled, x, far, banks)


def rain(
    x: np.ndarray, *, severity: int, generator: np.random.Generator, depth: np.ndarray | None = None
) -> np.ndarray:
    """Let it rain: streaks near and far, a dull wet light, spray on the ground.

    Args:
        x: uint8 HW3 RGB.
        severity: 1 (shower) to 5 (cloudburst).
        generator: source of all randomness.
        depth: float HW in [0, 1], 1 farthest; None guesses open ground.

    Returns:
        uint8 HW3.

    Raises:
        ArgumentError: a wrong image, severity or depth.

    Source: Garg and Nayar, Vision and rain, IJCV 2007: near drops are streaks, far ones add up to mist.
    """
    height, width, level, far = _checked(x, severity, depth)
    dim, mist_level = (0.92, 0.86, 0.8, 0.74, 0.68)[level], (50, 75, 100, 130, 160)[level]
    mist = plasma(height, width, generator=generator, cells=2, octaves=3)
    canvas = _canvas(height, width)
    lean, spread = generator.normal(0, 0.16), generator.uniform(0.1, 0.3)
    amount = (0.5, 0.8, 1.15, 1.6, 2.2)[level]
    veil = np.zeros(canvas, np.uint8)
    for count, length, thickness, light in ((700, 0.035, 1, 70), (260, 0.09, 1, 125), (46, 0.2, 2, 150)):
        layer = np.zeros(canvas, np.uint8)
        ends = _streaks(
            round(count * amount * canvas[1] / canvas[0]), canvas, length, lean=lean, spread=spread, generator=generator
        )
        cv2.polylines(layer, ends, False, light, thickness, cv2.LINE_AA, 4)
        veil = cv2.add(veil, cv2.GaussianBlur(layer, (0, 0), 1.4) if thickness > 1 else layer)
    _splash(veil, round(120 * amount), generator)

    def wet(x: np.ndarray, *fields: np.ndarray) -> np.ndarray:
        far, mist, veil = fields
        grey = cv2.merge([cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)] * 3)
        dull = cv2.addWeighted(x, 0.72 * dim, grey, 0.28 * dim, 0)
        haze = cv2.convertScaleAbs((mist * np.float32(0.5) + np.float32(0.6)) * far, alpha=mist_level)
        return toward(toward(dull, haze, (168, 176, 184)), veil, (214, 220, 226))

    return in_strips(wet, x, far, mist, _fit(veil, height, width))


def _streaks(
    count: int, canvas: tuple[int, int], length: float, *, lean: float, spread: float, generator: np.random.Generator
) -> list[np.ndarray]:
    """Draw line ends that fan out from a vanishing point above the picture; 2 x 2 int32, in 1/16 px."""
    height, width = canvas
    top = generator.uniform((-0.1 * width, -0.2 * height), (1.1 * width, height), (count, 2))
    angle = lean + spread * (top[:, 0] / width - 0.5) + generator.normal(0, 0.015, count)
    step = length * height * generator.uniform(0.6, 1.4, count)
    tip = top + np.stack([np.sin(angle), np.cos(angle)], 1) * step[:, None]
    return list(np.int32(np.stack([top, tip], 1) * 16))


def _splash(veil: np.ndarray, count: int, generator: np.random.Generator) -> None:
    """Draw little crowns of spray where drops meet the lower part of the picture; veil changes in place."""
    height, width = veil.shape
    places = generator.uniform((0, 0.55), (1, 1), (count, 2))
    for right, down in places:
        size = max(1, round((down - 0.45) * height * 0.016))
        centre = (int(right * width), int(down * height))
        cv2.ellipse(veil, centre, (2 * size, size), 0, 180, 360, 130, 1, cv2.LINE_AA)


def snow(
    x: np.ndarray, *, severity: int, generator: np.random.Generator, depth: np.ndarray | None = None
) -> np.ndarray:
    """Let it snow: flakes at several distances, a white ground, caps on what stands on it.

    Args:
        x: uint8 HW3 RGB.
        severity: 1 (a few flakes) to 5 (blizzard).
        generator: source of all randomness.
        depth: float HW in [0, 1], 1 farthest; None guesses open ground. Where depth falls row by row is
            ground, and gathers snow; where it jumps down is an object's upper rim, and gets a cap.

    Returns:
        uint8 HW3.

    Raises:
        ArgumentError: a wrong image, severity or depth.
    """
    height, width, level, far = _checked(x, severity, depth)
    cover = _cover(far, level=level, generator=generator)
    canvas = _canvas(height, width)
    lean, amount = generator.normal(0, 0.5), (0.35, 0.6, 1, 1.5, 2.2)[level]
    veil = np.zeros(canvas, np.uint8)
    for count, size, light in ((3200, 1, 150), (900, 2, 215), (170, 4, 235), (22, 9, 190)):
        number = round(count * amount * canvas[1] / canvas[0])
        veil = np.maximum(veil, _flakes(number, canvas, size, light=light, lean=lean, generator=generator))
    tints = np.uint8(np.clip(150 + 0.45 * np.arange(256)[:, None, None] + np.float32([-4, 0, 6]), 0, 255))

    def snowed(x: np.ndarray, *fields: np.ndarray) -> np.ndarray:
        cover, far, veil = fields
        grey = cv2.merge([cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)] * 3)
        cold = cv2.addWeighted(x, 0.75, grey, 0.25, 4 + 3 * level)
        laid = mixed(cold, cv2.LUT(grey, tints), cover)
        laid = toward(laid, cv2.convertScaleAbs(far, alpha=(22, 40, 60, 82, 108)[level]), (226, 230, 236))
        return toward(laid, veil, (250, 251, 254))

    return in_strips(snowed, x, cover, far, _fit(veil, height, width))


def _cover(far: np.ndarray, *, level: int, generator: np.random.Generator) -> np.ndarray:
    """Find how white each place is: patches on the ground, caps on objects' upper rims; float32 HW in [0, 1]."""
    shape, shrink = far.shape, max(1, min(far.shape) // 200)
    far = far[::shrink, ::shrink]
    height, width = far.shape
    reach = max(2, height // 60)
    fall = np.zeros_like(far)
    fall[:-1] = far[:-1] - far[1:]
    ground = np.float32((fall > 1e-6) & (fall < 0.05))
    cap = np.zeros_like(far)
    cap[reach:] = np.clip((far[:-reach] - far[reach:] - 0.06) * 12, 0, 1) * (ground[reach:] == 0)
    patches = plasma(height, width, generator=generator, cells=3, octaves=5, decay=0.65)
    patches -= np.clip(far * 2 - 1.1, 0, 0.9) * np.float32(0.5)
    laid = np.clip((patches - (0.7, 0.52, 0.36, 0.2, 0.04)[level]) * 4, 0, 1) * ground
    cover = np.maximum(laid * (0.8, 0.84, 0.88, 0.92, 0.95)[level], cap * (0.5, 0.65, 0.8, 0.9, 0.95)[level])
    return cv2.resize(cv2.GaussianBlur(cover, (0, 0), 0.6), shape[::-1], interpolation=cv2.INTER_LINEAR)


def _flakes(
    count: int, canvas: tuple[int, int], size: int, *, light: int, lean: float, generator: np.random.Generator
) -> np.ndarray:
    """Draw one distance of falling flakes, softer the nearer; uint8 HW."""
    height, width = canvas
    layer = np.zeros(canvas, np.uint8)
    places = generator.uniform((0, 0), (width, height), (count, 2))
    if size <= 2:
        across, down = np.int32(places).T
        bright = generator.uniform(0.45, 1, count) * light
        for step_x, step_y in np.ndindex(size, size):
            layer[np.minimum(down + step_y, height - 1), np.minimum(across + step_x, width - 1)] = bright
        return layer
    drift = generator.normal((0.4 * size * lean, 0.4 * size), 0.3 * size, (count, 2))
    ends = np.int32(np.stack([places, places + drift], 1) * 16)
    for part, scale in enumerate((1, 0.75, 0.55)):
        cv2.polylines(layer, list(ends[part::3]), False, round(light * scale), size, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(layer, (0, 0), 0.22 * size)


def frost(x: np.ndarray, *, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Grow ice over the pane in front of the scene, from its rim inward.

    Args:
        x: uint8 HW3 RGB.
        severity: 1 (corners) to 5 (all but a peephole).
        generator: source of all randomness.

    Returns:
        uint8 HW3.

    Raises:
        ArgumentError: a wrong image or severity.
    """
    height, width = check_image(x)
    level = check_severity(severity)
    tile = frost_bank()[generator.integers(len(frost_bank()))]
    side = int(TILE_PX * generator.uniform(0.6, 0.95))
    top, left = generator.integers(0, TILE_PX - side + 1, 2)
    tile = np.rot90(tile[top : top + side, left : left + side], generator.integers(4))
    shape = (side, max(32, side * height // width)) if width >= height else (max(32, side * width // height), side)
    ice = np.ascontiguousarray(tile[: shape[1], : shape[0]])
    ice = cv2.resize(ice, (width, height), interpolation=cv2.INTER_AREA if width < shape[0] else cv2.INTER_LINEAR)
    rim = np.abs(np.linspace(-1, 1, 48, dtype=np.float32))
    rim = np.maximum(rim[:, None], rim[None, :]) + 0.9 * (plasma(48, 48, generator=generator, octaves=3) - 0.5)
    cover = np.clip(rim * 1.2 + (-0.5, -0.25, 0, 0.2, 0.4)[level], 0.02, 1)
    cover = cv2.resize(cv2.convertScaleAbs(cover, alpha=255), (width, height), interpolation=cv2.INTER_LINEAR)
    coarse = cv2.resize(x, (max(8, width // 5), max(8, height // 5)), interpolation=cv2.INTER_AREA)
    blurred = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)

    def frozen(x: np.ndarray, *fields: np.ndarray) -> np.ndarray:
        blurred, cover, ice = fields
        share = cv2.merge([cv2.convertScaleAbs(cover, alpha=0.7)] * 3)
        behind = cv2.multiply(x, cv2.bitwise_not(share), scale=1 / 255)
        behind = cv2.add(behind, cv2.multiply(blurred, share, scale=1 / 255))
        crystals = cv2.multiply(ice, cover, scale=(1.0, 1.1, 1.2, 1.3, 1.4)[level] / 255)
        haze = cv2.convertScaleAbs(cover, alpha=(0.22, 0.27, 0.32, 0.38, 0.44)[level])
        return toward(behind, cv2.max(crystals, haze), (224, 234, 244))

    return in_strips(frozen, x, blurred, cover, ice)


def _checked(x: np.ndarray, severity: int, depth: np.ndarray | None) -> tuple[int, int, int, np.ndarray]:
    height, width = check_image(x)
    far = ground_depth(height, width) if depth is None else check_depth(depth, height=height, width=width)
    return height, width, check_severity(severity), far


def _canvas(height: int, width: int) -> tuple[int, int]:
    """Choose the size that thin things are drawn at: at least 320 px, so that they stay thin in a small picture."""
    times = max(1, math.ceil(320 / min(height, width)))
    return height * times, width * times


def _fit(veil: np.ndarray, height: int, width: int) -> np.ndarray:
    return veil if veil.shape == (height, width) else cv2.resize(veil, (width, height), interpolation=cv2.INTER_AREA)


WEATHER = {shift.__name__: shift for shift in (fog, rain, snow, frost, spatter)}
