"""Painting: oil, watercolour and palette knife, on canvas or paper.

Oil and knife lay strokes in layers from coarse to fine along the edges of the picture, each stroke with its
own height, and light the relief; watercolour floods smoothed areas with uneven pigment.
"""

from typing import NamedTuple

import cv2
import numpy as np

from gauntlet.shifts.arguments import check_image, check_severity
from gauntlet.shifts.fields import along, grain, lit, luma, orientation, plasma, shaded


class Brush(NamedTuple):
    """What tells one tool from another; lengths count in brush radii."""

    length: float
    spacing: float
    hue_jitter: float
    flat: bool


ROUND = Brush(length=5.0, spacing=1.1, hue_jitter=4.5, flat=False)
KNIFE = Brush(length=3.2, spacing=1.0, hue_jitter=5.0, flat=True)


def painting(x: np.ndarray, *, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Repaint a picture with one of the tools in PAINTING, as the generator falls.

    Args:
        x: uint8 HW3 RGB.
        severity: 1 (fine strokes) to 5 (broad ones).
        generator: source of all randomness.

    Returns:
        uint8 HW3.

    Raises:
        ArgumentError: a wrong image or severity.
    """
    tool = tuple(PAINTING.values())[generator.choice(len(PAINTING), p=(0.5, 0.25, 0.25))]
    return tool(x, severity=severity, generator=generator)


def oil(x: np.ndarray, *, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Paint in oil with a round brush whose bristles show; arguments as `painting`.

    Source: Hertzmann, Painterly rendering with curved brush strokes of multiple sizes, SIGGRAPH 1998, with the
    structure tensor for direction.
    """
    return _strokes(x, ROUND, severity=severity, generator=generator, size=1.0)


def palette_knife(x: np.ndarray, *, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Paint with a palette knife: short flat slabs with thick ridges; arguments as `painting`."""
    return _strokes(x, KNIFE, severity=severity, generator=generator, size=1.5)


def _strokes(x: np.ndarray, brush: Brush, *, severity: int, generator: np.random.Generator, size: float) -> np.ndarray:
    shape = check_image(x)
    times = 2 if min(shape) < 240 else 1  # strokes without anti-aliasing, drawn large and averaged, cost a third
    x = cv2.resize(x, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC) if times > 1 else x
    height, width = x.shape[:2]
    side = min(height, width)
    broad = size * side * (0.02, 0.026, 0.034, 0.043, 0.054)[check_severity(severity)]
    fine = max(1.3, size * side * (0.0045, 0.006, 0.008, 0.0105, 0.0135)[severity - 1])
    ground = np.float32([150, 118, 84]) * generator.uniform(0.7, 1.2)
    primed = cv2.convertScaleAbs(0.6 * cv2.GaussianBlur(x, (0, 0), broad) + 0.4 * ground)
    canvas = np.dstack([primed, np.zeros((height, width), np.uint8)])  # RGB and the height of the paint
    for radius in np.geomspace(broad, fine, 3):
        _lay(canvas, x, brush, radius=float(radius), everywhere=radius == broad, generator=generator)
    paint, relief = np.ascontiguousarray(canvas[..., :3]), np.ascontiguousarray(canvas[..., 3])
    cos, sin, _ = orientation(luma(paint), sigma_px=max(1.5, side / 120))
    bristle = along(grain(height, width, generator=generator), cos, sin, length_px=max(6, side / 35), taps=9)
    bristle /= max(float(bristle.std()), 1e-6)
    body = cv2.GaussianBlur(relief, (0, 0), 0.7).astype(np.float32) / 255
    light = lit(1.5 * body + (0.03 if brush.flat else 0.1) * bristle, azimuth=-2.3, strength=1.7)
    weave = _weave(height, width, generator)
    painted = shaded(paint, (0.55 + 0.45 * light) * (1 + 0.02 * bristle) * (1 + 0.03 * weave))
    return cv2.resize(painted, shape[::-1], interpolation=cv2.INTER_AREA) if times > 1 else painted


def _lay(
    canvas: np.ndarray, x: np.ndarray, brush: Brush, *, radius: float, everywhere: bool, generator: np.random.Generator
) -> None:
    """Lay one layer of strokes where the canvas still differs from x; canvas (HW4) changes in place."""
    height, width = canvas.shape[:2]
    aim = cv2.GaussianBlur(x, (0, 0), max(0.5, 0.5 * radius))
    cos, sin, _ = orientation(luma(aim), sigma_px=max(1.5, 1.5 * radius))
    step = max(2.6, brush.spacing * radius)
    rows, columns = np.meshgrid(np.arange(step / 2, height, step), np.arange(step / 2, width, step), indexing="ij")
    places = np.stack([columns.ravel(), rows.ravel()], 1) + generator.uniform(-step / 2, step / 2, (rows.size, 2))
    at = _clipped(places, height, width)
    if not everywhere:
        miss = cv2.blur(cv2.absdiff(np.ascontiguousarray(canvas[..., :3]), aim), (max(1, round(step)),) * 2).max(2)
        keep = miss[at[:, 1], at[:, 0]] > generator.uniform(9, 26, len(at))
        places, at = places[keep], at[keep]
    order = generator.permutation(len(places))
    places, at = places[order], at[order]
    colours = aim[at[:, 1], at[:, 0]].astype(np.float32) + generator.normal(0, brush.hue_jitter, (len(at), 3))
    colours = np.clip(colours + generator.normal(0, 6, (len(at), 1)), 0, 255)
    loads = np.column_stack([colours.round(), generator.integers(70, 256, len(at))]).tolist()
    spans = brush.length * radius * generator.uniform(0.6, 1.25, len(at))
    if brush.flat:
        slabs = _slabs(places, cos, sin, spans=spans, halves=radius * generator.uniform(0.7, 1.3, len(at)))
        for slab, load in zip(slabs, loads, strict=True):
            cv2.fillConvexPoly(canvas, slab, load, cv2.LINE_8, 4)
        return
    broad = max(2, round(1.6 * radius))
    for path, load in zip(_paths(places, cos, sin, spans=spans), loads, strict=True):
        cv2.polylines(canvas, [path], False, load, broad, cv2.LINE_8, 4)


def _clipped(places: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.clip(places.astype(np.intp), 0, (width - 1, height - 1))


def _paths(places: np.ndarray, cos: np.ndarray, sin: np.ndarray, *, spans: np.ndarray) -> np.ndarray:
    """Follow the direction field both ways from each place: N x 5 x 2 int32, in 1/16 px."""
    height, width = cos.shape
    halves = []
    for sign in (-1.0, 1.0):
        here, last, half = places.copy(), None, []
        for _ in range(2):
            at = _clipped(here, height, width)
            way = sign * np.stack([cos[at[:, 1], at[:, 0]], sin[at[:, 1], at[:, 0]]], 1)
            if last is not None:
                way *= np.where((way * last).sum(1, keepdims=True) < 0, -1, 1)
            here, last = here + way * spans[:, None] / 4, way
            half.append(here)
        halves.append(half)
    path = np.stack([*halves[0][::-1], places, *halves[1]], 1)
    return np.int32(np.round(path * 16))


def _slabs(
    places: np.ndarray, cos: np.ndarray, sin: np.ndarray, *, spans: np.ndarray, halves: np.ndarray
) -> np.ndarray:
    """Place rectangles along the direction field: N x 4 x 2 int32, in 1/16 px."""
    at = _clipped(places, *cos.shape)
    way = np.stack([cos[at[:, 1], at[:, 0]], sin[at[:, 1], at[:, 0]]], 1)
    side = np.stack([-way[:, 1], way[:, 0]], 1) * halves[:, None]
    ahead = way * spans[:, None] / 2
    corners = [places - ahead - side, places + ahead - side, places + ahead + side, places - ahead + side]
    return np.int32(np.round(np.stack(corners, 1) * 16))


def _weave(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    """Weave a canvas: warp and weft of about 1/160 of the short side, float32 HW in about [-1, 1]."""
    pitch = max(2.5, min(height, width) / 160)
    rows = np.sin(np.arange(height, dtype=np.float32) * (2 * np.pi / pitch) + generator.uniform(0, 6))
    columns = np.sin(np.arange(width, dtype=np.float32) * (2 * np.pi / pitch) + generator.uniform(0, 6))
    return rows[:, None] * columns[None, :]


def watercolour(x: np.ndarray, *, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Paint in watercolour: pale washes, pigment gathered at their rims, paper grain; arguments as `painting`.

    Source: Bousseau et al., Interactive watercolor rendering with temporal coherence, NPAR 2006 (pigment density).
    """
    height, width = check_image(x)
    level = check_severity(severity)
    unit = max(1.0, min(height, width) / 240)
    shrink = unit * (1.0, 1.15, 1.3, 1.5, 1.75)[level]
    small = (max(24, round(width / shrink)), max(24, round(height / shrink)))
    wash = cv2.resize(x, small, interpolation=cv2.INTER_AREA)
    for _ in range((2, 3, 4, 5, 6)[level]):
        wash = cv2.bilateralFilter(cv2.medianBlur(wash, 3), 7, 34, 4)
    wash = cv2.resize(wash, (width, height), interpolation=cv2.INTER_CUBIC)
    wander = [2.2 * unit * (plasma(height, width, generator=generator, cells=12, octaves=3) - 0.5) for _ in "xy"]
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    wash = cv2.remap(wash, xs + wander[0], ys + wander[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    tone = luma(wash)
    rim = np.abs(tone - cv2.GaussianBlur(tone, (0, 0), 1.6 * unit))
    flow = plasma(height, width, generator=generator, cells=3, octaves=5, decay=0.7) - 0.5
    tooth = cv2.GaussianBlur(grain(height, width, generator=generator, size_px=1.3 * unit), (0, 0), 0.6)
    density = 1 + (0.8, 0.95, 1.1, 1.25, 1.4)[level] * flow + 5.5 * np.clip(rim, 0, 0.14) + 0.1 * tooth
    pale = 1 - (1 - np.clip(wash.astype(np.float32) / 240, 0, 1)) * (0.92, 0.88, 0.84, 0.8, 0.76)[level]
    stained = pale - (pale - pale * pale) * (density - 1)[..., None]
    sheet = lit(tooth, azimuth=-2.3, strength=0.05)
    return cv2.convertScaleAbs(np.clip(stained, 0, 1) * sheet[..., None] * np.float32([255, 253, 247]))


PAINTING = {tool.__name__: tool for tool in (oil, watercolour, palette_knife)}
