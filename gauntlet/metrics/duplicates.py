"""Near-duplicates by perceptual hash, and splits that keep each group of them on one side."""

from collections.abc import Hashable, Mapping, Sequence

import cv2
import numpy as np

from gauntlet.errors import ArgumentError


def difference_hash(rgba: np.ndarray) -> int:
    """Return the 128-bit difference hash of a cut-out, the same for its mirror image.

    The object is laid on grey, scaled to 9 x 8 and 8 x 9 pixels, and each pixel is compared with its neighbour to the
    right and below; of the hashes of the object and its mirror image the smaller one is taken.
    """
    alpha = rgba[..., 3:].astype(np.float32) / 255
    grey = cv2.cvtColor((rgba[..., :3] * alpha + 128 * (1 - alpha)).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    return min(_bits(grey), _bits(np.ascontiguousarray(grey[:, ::-1])))


def _bits(grey: np.ndarray) -> int:
    across = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    down = cv2.resize(grey, (8, 9), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = np.concatenate([np.diff(across, axis=1).ravel() > 2, np.diff(down, axis=0).ravel() > 2])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_duplicates(hashes: Sequence[int], *, distance: int) -> list[int]:
    """Number the groups of near-duplicates: linked by pairs at most `distance` bits apart.

    >>> near_duplicates([0b0000, 0b0001, 0b1111], distance=1)
    [0, 0, 2]
    """
    parent = list(range(len(hashes)))

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    for later in range(len(hashes)):
        for earlier in range(later):
            if (hashes[later] ^ hashes[earlier]).bit_count() <= distance:
                first, second = sorted((root(later), root(earlier)))
                parent[second] = first
    return [root(index) for index in range(len(hashes))]


def deal(
    strata: Mapping[Hashable, Sequence[Hashable]], *, shares: Mapping[str, float], generator: np.random.Generator
) -> dict[Hashable, str]:
    """Deal groups to splits so that every stratum they belong to comes close to the shares.

    Args:
        strata: For each group (in a fixed order) the strata it counts in, such as its category and its source.
        shares: Share of each split, in [0, 1], summing to one; the largest is served first.
        generator: Source of randomness: the order in which groups are dealt.

    Returns:
        The split of each group.

    Raises:
        ArgumentError: The shares do not sum to one.
    """
    if min(shares.values(), default=0) < 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise ArgumentError(f"shares must lie in [0, 1] and sum to 1; got {dict(shares)}; percentages?")
    groups = list(strata)
    splits = list(shares)
    counts: dict[Hashable, np.ndarray] = {}
    dealt = {}
    for position in generator.permutation(len(groups)):
        group = groups[position]
        need = np.zeros(len(splits))
        for stratum in strata[group]:
            have = counts.setdefault(stratum, np.zeros(len(splits)))
            need += np.array([shares[split] for split in splits]) * (have.sum() + 1) - have
        choice = int(np.argmax(need))
        dealt[group] = splits[choice]
        for stratum in strata[group]:
            counts[stratum][choice] += 1
    return dealt
