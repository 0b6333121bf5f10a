"""What the settings refuse, and how a number of epochs is found."""

import pytest

from gauntlet.errors import ArgumentError
from gauntlet.training.safe_clip.settings import (
    AdapterSettings,
    CacheSettings,
    CoopSettings,
    PoolSettings,
    ProbeSettings,
    epochs_of,
)

BAD = [
    (PoolSettings, {"lr": 0}, "lr must be above 0; got 0"),
    (PoolSettings, {"alphas": ()}, "alphas must be shares"),
    (PoolSettings, {"alphas": (0, 10)}, "alphas must be shares"),
    (PoolSettings, {"blend": "mean"}, "blend must be one of raw, normalised; got 'mean'"),
    (PoolSettings, {"epochs": {4: 10}}, "with an entry for 1"),
    (CacheSettings, {"epochs": {1: -1}}, "counts by shots"),
    (CacheSettings, {"a_range": (3, 1)}, "a_range must be a least and a greatest"),
    (CacheSettings, {"b": 0.0}, "b must be above 0"),
    (CacheSettings, {"steps": (0, 5)}, "steps must be at least 1"),
    (AdapterSettings, {"ratios": (20,)}, "ratios must be shares"),
    (ProbeSettings, {"strengths": (0.0, 1.0)}, "strengths must be above 0"),
    (CoopSettings, {"context": 0}, "context must be above 0"),
]


@pytest.mark.parametrize(("kind", "values", "message"), BAD)
def test_values_out_of_range_are_refused_in_one_line(kind, values, message):
    with pytest.raises(ArgumentError, match=message) as refused:
        kind(**values)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("shots", "epochs"), [(1, 50), (2, 100), (4, 100), (8, 200), (16, 200)])
def test_coops_epochs_by_shots(shots, epochs):
    assert epochs_of(CoopSettings().epochs, shots=shots) == epochs


def test_no_entry_for_so_few_shots_is_refused():
    with pytest.raises(ArgumentError, match="an entry for 1 shots or fewer"):
        epochs_of({2: 10}, shots=1)
