import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import mean_interval, wilson


def test_the_bootstrap_agrees_with_the_normal_interval():
    values = np.random.default_rng(0).normal(3, 2, (400, 1))
    (found,) = mean_interval(values, resamples=4000, generator=np.random.default_rng(1))
    half = 1.96 * values.std() / 20
    assert found.value == values.mean()
    assert found.n == 400
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)


def test_columns_are_drawn_together():
    values = np.random.default_rng(0).normal(size=(50, 1))
    both = mean_interval(np.concatenate([values, -values], axis=1), resamples=99, generator=np.random.default_rng(1))
    assert both[0].low == pytest.approx(-both[1].high)


@pytest.mark.parametrize(("rows", "resamples"), [(0, 10), (3, 0)])
def test_nothing_to_draw_is_refused(rows, resamples):
    with pytest.raises(ArgumentError, match="at least 1"):
        mean_interval(np.zeros((rows, 2)), resamples=resamples, generator=np.random.default_rng(0))


def test_wilson_against_the_roots_of_its_own_equation():
    """The bounds are the rates p at which (rate - p)^2 equals z^2 p (1 - p) / n."""
    found = wilson(81, 263)
    for bound in (found.low, found.high):
        assert (found.value - bound) ** 2 == pytest.approx(1.959963984540054**2 * bound * (1 - bound) / 263)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe (1998), table I
    assert found.n == 263


def test_wilson_has_width_at_the_ends_and_mirrors():
    assert wilson(0, 29).low == 0
    assert wilson(0, 29).high == pytest.approx(0.1170, abs=1e-4)  # Newcombe (1998), table I
    assert wilson(29, 29).high == 1
    assert wilson(29, 29).low == pytest.approx(1 - wilson(0, 29).high)


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_wants_counts(hits, n):
    with pytest.raises(ArgumentError, match=r"lie in \[0, n\]"):
        wilson(hits, n)
