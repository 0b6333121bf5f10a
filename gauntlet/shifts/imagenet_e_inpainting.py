"""ImageNet-E, first step: take the object out, so that no ghost of it shows once it is moved, shrunk or turned.

The authors use a trained network (TFill). Here the hole is filled with patches of the picture's own background,
coarse to fine, which needs no weights.
"""

import cv2
import numpy as np

from gauntlet.shifts.imagenet_e_geometry import check_picture

COARSEST_PX = 16
EXHAUSTIVE_PX = 32
NEARBY = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))


def inpaint(x: np.ndarray, mask: np.ndarray, *, margin_px: int = 3) -> np.ndarray:
    """Fill the object's place with the background around it.

    Args:
        x: Picture, uint8 HWC.
        mask: Object, bool HW, not empty.
        margin_px: The hole is this much wider than the mask: the object's rim and contact shadow go too.

    Returns:
        The background, uint8 HWC; pixels outside the widened hole are those of `x`.

    Raises:
        DataError: The mask is empty or of another size.

    Source: ImageNet-E, code, step 1 with TFill. Ours: patch completion after Wexler, Shechtman and Irani (2007), an
    exhaustive search on the coarsest scale and a local one on the others.
    """
    check_picture(x, mask)
    hole = cv2.dilate(mask.astype(np.uint8), np.ones((2 * margin_px + 1,) * 2, np.uint8)).astype(bool)
    filled = sources = None
    for picture, level_hole in _pyramid(x.astype(np.float32), hole):
        if filled is None:
            filled = _diffuse(picture, level_hole)
        else:
            size = level_hole.shape[::-1]
            filled = np.where(level_hole[..., None], cv2.resize(filled, size, interpolation=cv2.INTER_LINEAR), picture)
        radius = 2 if EXHAUSTIVE_PX <= max(level_hole.shape) <= 2 * EXHAUSTIVE_PX else 1
        filled, sources = _complete(filled, level_hole, sources=sources, radius=radius)
    return np.where(hole[..., None], filled.round().clip(0, 255), x).astype(np.uint8)


def _pyramid(picture: np.ndarray, hole: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Halve picture and hole until the picture is small; coarse first. A pixel is known if a quarter of it is."""
    levels = [(picture, hole)]
    known = (~hole).astype(np.float32)
    while min(known.shape) >= 2 * COARSEST_PX:
        size = (known.shape[1] // 2, known.shape[0] // 2)
        colour = cv2.resize(picture * known[..., None], size, interpolation=cv2.INTER_AREA)
        share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
        picture, known = colour / np.maximum(share, 1e-6)[..., None], (share > 0.24).astype(np.float32)
        levels.append((picture, known == 0))
    return levels[::-1]


def _diffuse(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Fill a hole smoothly: each pyramid level fills what the finer one does not know."""
    known = (~hole)[..., None].astype(np.float32)
    if min(hole.shape) <= 1 or not hole.any():
        return picture
    size = ((hole.shape[1] + 1) // 2, (hole.shape[0] + 1) // 2)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)[..., None]
    colour = cv2.resize(picture * known, size, interpolation=cv2.INTER_AREA)
    coarse = _diffuse(colour / np.maximum(share, 1e-6), share[..., 0] < 1e-6)
    return np.where(hole[..., None], cv2.resize(coarse, hole.shape[::-1], interpolation=cv2.INTER_LINEAR), picture)


def _complete(
    filled: np.ndarray, hole: np.ndarray, *, sources: np.ndarray | None, radius: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Replace a hole's rough filling by patches of the known part.

    `sources` (int HW2) says where each pixel of the coarser level found its patch; the finer map is returned.
    """
    square = np.ones((2 * radius + 1,) * 2, np.uint8)
    wanted = np.argwhere(cv2.dilate(hole.astype(np.uint8), square) > 0)
    allowed = cv2.erode((~hole).astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    if not allowed.any():
        return filled, None
    known = _patches(filled, radius)
    everywhere = sources is None or max(hole.shape) <= EXHAUSTIVE_PX
    if not everywhere:
        sources = _enlarge(sources, hole.shape)
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
    trust = 1.3 ** -depth[wanted[:, 0], wanted[:, 1]]
    for _ in range(5 if everywhere else 1):
        patches = _patches(filled, radius)[wanted[:, 0], wanted[:, 1]]
        if everywhere:
            sources, distance = _search_everywhere(patches, known, wanted=wanted, allowed=allowed)
        else:
            sources, distance = _search_nearby(patches, known, wanted=wanted, allowed=allowed, sources=sources)
        filled = _vote(filled, hole, wanted=wanted, sources=sources, distance=distance, trust=trust, radius=radius)
    return filled, sources


def _patches(picture: np.ndarray, radius: int) -> np.ndarray:
    """Return the patch around each pixel, flat: float HW(CKK)."""
    padded = np.pad(picture, ((radius, radius), (radius, radius), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * radius + 1, 2 * radius + 1), axis=(0, 1))
    return windows.reshape(*picture.shape[:2], -1)


def _enlarge(sources: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Carry a map of sources to the next finer level."""
    rows, columns = np.indices(shape)
    height, width = sources.shape[:2]
    coarse = sources[np.minimum(rows // 2, height - 1), np.minimum(columns // 2, width - 1)]
    return 2 * coarse + np.stack([rows % 2, columns % 2], axis=-1)


def _search_everywhere(patches, known, *, wanted, allowed):
    places = np.argwhere(allowed)
    candidates = known[allowed]
    squares = (candidates**2).sum(1)
    distance = (patches**2).sum(1)[:, None] - 2 * patches @ candidates.T + squares
    best = distance.argmin(1)
    sources = np.stack(np.indices(allowed.shape), axis=-1)
    sources[wanted[:, 0], wanted[:, 1]] = places[best]
    return sources, np.maximum(distance[np.arange(len(best)), best], 0)


def _search_nearby(patches, known, *, wanted, allowed, sources):
    """Try the neighbours of each pixel's own source, and those that continue the sources of its neighbours."""
    height, width = allowed.shape
    own = sources[wanted[:, 0], wanted[:, 1]]
    candidates = [own + step for step in NEARBY]
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        near = np.clip(wanted + np.array([dy, dx]), 0, (height - 1, width - 1))
        candidates.append(sources[near[:, 0], near[:, 1]] - (dy, dx))
    best, least = own, np.full(len(wanted), np.inf, np.float32)
    for candidate in candidates:
        candidate = np.clip(candidate, 0, (height - 1, width - 1))
        usable = np.flatnonzero(allowed[candidate[:, 0], candidate[:, 1]])
        place = candidate[usable]
        distance = np.full(len(wanted), np.inf, np.float32)
        distance[usable] = ((known[place[:, 0], place[:, 1]] - patches[usable]) ** 2).sum(1)
        better = distance < least
        best, least = np.where(better[:, None], candidate, best), np.where(better, distance, least)
    sources = sources.copy()
    sources[wanted[:, 0], wanted[:, 1]] = best
    return sources, least


def _vote(filled, hole, *, wanted, sources, distance, trust, radius):
    """Colour each pixel of the hole by the mean of all patches that cover it, the better fitting counting more."""
    height, width = hole.shape
    finite = np.isfinite(distance)
    wanted, distance, trust = wanted[finite], distance[finite], trust[finite]
    found = sources[wanted[:, 0], wanted[:, 1]]
    weight = np.exp(-distance / (2 * np.percentile(distance, 50) + 1e-3)) * trust + 1e-6
    total, colours = np.zeros(height * width), np.zeros((height * width, filled.shape[2]))
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            place = wanted + np.array([dy, dx])
            inside = ((place >= 0) & (place < (height, width))).all(1)
            index = place[inside] @ (width, 1)
            origin = found[inside] + (dy, dx)
            total += np.bincount(index, weight[inside], height * width)
            for channel in range(filled.shape[2]):
                value = filled[origin[:, 0], origin[:, 1], channel] * weight[inside]
                colours[:, channel] += np.bincount(index, value, height * width)
    voted = (colours / np.maximum(total, 1e-9)[:, None]).reshape(filled.shape).astype(np.float32)
    covered = hole & (total.reshape(hole.shape) > 0)
    return np.where(covered[..., None], voted, filled)
