"""Perceptual hashes, groups of near-duplicates and splits that keep them together."""

import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.metrics.duplicates import deal, difference_hash, near_duplicates
from gauntlet.shifts.cutouts import resize

SHARES = {"train": 0.6, "val": 0.15, "test": 0.25}


def picture(seed: int, *, height: int = 60, width: int = 80) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 4)).astype(np.uint8)
    coarse[..., 3] = 255
    return resize(coarse, scale=10)[:height, :width]


@pytest.mark.parametrize("seed", range(5))
def test_a_mirror_image_has_the_same_hash(seed):
    rgba = picture(seed, width=71)
    assert difference_hash(rgba) == difference_hash(rgba[:, ::-1])


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_of_another_size_is_near_and_another_picture_far(seed):
    first = difference_hash(picture(seed))
    assert (first ^ difference_hash(resize(picture(seed), scale=0.6))).bit_count() <= 6
    assert (first ^ difference_hash(picture(seed + 100))).bit_count() > 20
    assert 0 <= first < 2**128


def test_groups_are_chains():
    assert near_duplicates([0b1111, 0b0111, 0b0011, 0b11110000], distance=1) == [0, 0, 0, 3]
    assert near_duplicates([5, 5], distance=0) == [0, 0]
    assert near_duplicates([], distance=3) == []


def test_shares_come_out_in_every_stratum():
    generator = np.random.default_rng(0)
    groups = {n: [f"class {n % 4}", f"style {n % 3}"] for n in range(600)}
    dealt = deal(groups, shares=SHARES, generator=generator)
    assert set(dealt) == set(groups)
    for stratum in {each for strata in groups.values() for each in strata}:
        members = [dealt[group] for group, strata in groups.items() if stratum in strata]
        for split, share in SHARES.items():
            assert abs(members.count(split) / len(members) - share) < 0.02


def test_dealing_depends_on_the_generator_alone():
    groups = {n: ["all"] for n in range(50)}
    first, again, other = (deal(groups, shares=SHARES, generator=np.random.default_rng(n)) for n in (1, 1, 2))
    assert first == again != other


def test_few_groups_reach_every_split():
    dealt = deal({n: ["all"] for n in range(5)}, shares=SHARES, generator=np.random.default_rng(0))
    assert set(dealt.values()) == set(SHARES)


@pytest.mark.parametrize(
    "shares", [{"train": 60, "test": 40}, {"train": 0.6, "test": 0.3}, {"train": 1.5, "test": -0.5}]
)
def test_shares_sum_to_one(shares):
    with pytest.raises(ArgumentError, match="sum to 1"):
        deal({0: ["all"]}, shares=shares, generator=np.random.default_rng(0))
