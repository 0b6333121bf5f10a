import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import mean_interval


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
