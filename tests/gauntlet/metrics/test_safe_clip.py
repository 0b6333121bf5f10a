"""Intervals over pictures and seeds against exact laws, and attention maps whose figures are known."""

import math

import numpy as np
import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.metrics.safe_clip import (
    accuracies,
    accuracy_draws,
    attention_entropy,
    attention_maps,
    attention_on,
    mean_over_sets,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_one_seed_gives_the_binomial_law_of_the_pictures():
    correct = (np.arange(400) < 300).reshape(1, 400, 1)
    (found,) = accuracies(correct, resamples=4000, generator=generator())
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert (found.value, found.n) == (0.75, 400)
    assert found.low == pytest.approx(0.75 - half, abs=0.005)
    assert found.high == pytest.approx(0.75 + half, abs=0.005)


def test_seeds_alone_give_the_law_of_the_seeds():
    """Every picture is right under seed 0 and wrong under seed 1: a draw of two seeds gives 0, 1/2, 1 by 1 : 2 : 1."""
    correct = np.stack([np.ones((50, 1), bool), np.zeros((50, 1), bool)])
    draws = accuracy_draws(correct, resamples=8000, generator=generator())[:, 0]
    shares = [np.isclose(draws, value).mean() for value in (0, 0.5, 1)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.02)


def test_columns_are_paired_over_pictures_and_seeds():
    right = generator().random((3, 60, 1)) < 0.6
    draws = accuracy_draws(np.concatenate([right, ~right], axis=2), resamples=200, generator=generator(1))
    np.testing.assert_allclose(draws.sum(axis=1), 1)


def test_the_mean_over_sets_weighs_sets_not_pictures():
    small, large = np.ones((3, 10, 1), bool), np.zeros((3, 990, 1), bool)
    (found,) = mean_over_sets([small, large], resamples=50, generator=generator())
    assert (found.value, found.low, found.high, found.n) == (0.5, 0.5, 0.5, 1000)


def test_more_sets_narrow_the_interval():
    right = generator().random((1, 200, 1)) < 0.5
    one, four = (mean_over_sets([right] * sets, resamples=2000, generator=generator(1))[0] for sets in (1, 4))
    assert (one.high - one.low) / (four.high - four.low) == pytest.approx(2, rel=0.1)


def test_entropy_of_one_place_and_of_all():
    sharp, flat = torch.eye(5)[None, 2:4], torch.full((1, 2, 5), 0.2)
    assert attention_entropy(torch.cat([sharp, flat])).tolist() == pytest.approx([0, math.log(5)], abs=1e-6)


def test_a_map_leaves_the_mean_token_out():
    weights = torch.tensor([[[0.6, 0.4, 0, 0, 0], [0.2, 0, 0, 0, 0.8]]])
    (found,) = attention_maps(weights, shape=(2, 2))
    torch.testing.assert_close(found, torch.tensor([[1 / 3, 0], [0, 2 / 3]]))


def test_attention_on_a_mask_of_known_share():
    masks = torch.zeros(2, 8, 8)
    masks[:, :4, :6] = 1  # of the 2 x 2 cells: 1, 1/2; 0, 0
    maps = torch.tensor([[[0.25, 0.25], [0.25, 0.25]], [[0.0, 1.0], [0.0, 0.0]]])
    assert attention_on(maps, masks).tolist() == [24 / 64, 0.5]


@pytest.mark.parametrize(("shape", "resamples"), [((0, 4, 1), 5), ((2, 0, 1), 5), ((2, 4), 5), ((2, 4, 1), 0)])
def test_nothing_to_draw_is_refused(shape, resamples):
    with pytest.raises(ArgumentError, match=r"correct must be \[seeds, pictures, K\]"):
        accuracy_draws(np.zeros(shape, bool), resamples=resamples, generator=generator())


def test_sets_of_different_columns_and_maps_of_another_shape_are_refused():
    for sets in ([], [np.zeros((1, 2, 1)), np.zeros((1, 2, 2))]):
        with pytest.raises(ArgumentError, match="sets must be at least one"):
            mean_over_sets(sets, resamples=2, generator=generator())
    with pytest.raises(ArgumentError, match=r"1 \+ 3 \* 3 tokens; got 5"):
        attention_maps(torch.full((1, 2, 5), 0.2), shape=(3, 3))
