import numpy as np
import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.metrics.iap_face import (
    bit_accuracy,
    matching_bits,
    ratio_interval,
    roc,
    share_interval,
    word_accuracy,
)
from gauntlet.metrics.intervals import mean_interval, wilson

MESSAGES = torch.tensor([[1.0, 0, 1, 0], [1, 1, 1, 1]])
LOGITS = torch.tensor([[0.3, -9, 1e-3, -0.1], [5, 5, -0.1, 5]])


def test_two_words():
    assert matching_bits(LOGITS, MESSAGES).tolist() == [4, 3]
    assert bit_accuracy(LOGITS, MESSAGES).tolist() == [1.0, 0.75]
    assert word_accuracy(LOGITS, MESSAGES).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("measure", [matching_bits, bit_accuracy, word_accuracy])
def test_a_message_of_the_wrong_length_is_refused(measure):
    with pytest.raises(ArgumentError, match="a message of the wrong length"):
        measure(LOGITS, MESSAGES[:, :3])


def test_random_bits_are_half_right():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2000, 30, generator=generator)
    messages = torch.randint(0, 2, (2000, 30), generator=generator)
    assert bit_accuracy(logits, messages).mean().item() == pytest.approx(0.5, abs=0.01)


def test_roc_of_four_pictures():
    found = roc(np.array([4, 3]), np.array([1, 2]), bits=4)
    assert found.thresholds == (4, 3, 2, 1, 0)
    assert found.tpr == (0.5, 1.0, 1.0, 1.0, 1.0)
    assert found.fpr == (0.0, 0.0, 0.5, 1.0, 1.0)
    assert found.code_fpr == (1 / 16, 5 / 16, 11 / 16, 15 / 16, 1.0)
    assert found.tpr_at(0.1) == 0.5
    assert found.tpr_at(1 / 3) == 1.0
    assert found.tpr_at(0.01) == 0.0


def test_false_rate_of_even_words_is_the_binomial_one():
    absent = np.random.default_rng(0).binomial(30, 0.5, size=100_000)
    found = roc(np.full(3, 30), absent, bits=30)
    np.testing.assert_allclose(found.fpr, found.code_fpr, atol=0.01)


@pytest.mark.parametrize("counts", [np.array([], int), np.array([31]), np.array([-1])])
def test_counts_outside_the_message_are_refused(counts: np.ndarray):
    with pytest.raises(ArgumentError, match=r"counts in \[0, 30\]"):
        roc(counts, np.array([1]), bits=30)


def drawn() -> dict:
    return {"resamples": 400, "generator": np.random.default_rng(0)}


def test_share_interval_is_the_bootstrap_one_and_wilsons_at_the_ends():
    values = np.random.default_rng(1).uniform(size=200)
    assert share_interval(values, **drawn()) == mean_interval(values[:, None], **drawn())[0]
    assert share_interval(np.ones(20), **drawn()) == wilson(20, 20)
    assert share_interval(np.zeros(20), **drawn()) == wilson(0, 20)
    assert share_interval(np.full(20, 0.5), **drawn()).low == 0.5


def test_ratio_of_one_chance_each_is_the_mean():
    hits = np.random.default_rng(1).integers(0, 2, 300)
    found, mean = ratio_interval(hits, np.ones(300, int), **drawn()), mean_interval(hits[:, None], **drawn())[0]
    assert (found.value, found.n) == (hits.mean(), 300)
    assert (found.low, found.high) == pytest.approx((mean.low, mean.high))


def test_edits_of_a_picture_are_drawn_together():
    hits = np.repeat([0, 1], 30)
    alone = ratio_interval(np.repeat(hits, 5), np.ones(300, int), **drawn())
    together = ratio_interval(5 * hits, np.full(60, 5), **drawn())
    assert together.value == alone.value == 0.5
    assert together.high - together.low > 1.8 * (alone.high - alone.low)


def test_pictures_without_an_edit_weigh_nothing():
    found = ratio_interval(np.array([2, 0, 1]), np.array([2, 0, 2]), **drawn())
    assert (found.value, found.n) == (0.75, 4)
    sure = ratio_interval(np.array([2, 0, 2]), np.array([2, 0, 2]), **drawn())
    assert (sure.value, sure.low, sure.n) == (1.0, wilson(2, 2).low, 4)


def test_a_ratio_of_nothing_is_refused():
    with pytest.raises(ArgumentError, match="no edit at all"):
        ratio_interval(np.zeros(3), np.zeros(3, int), **drawn())
