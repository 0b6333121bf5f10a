import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.metrics.imagenet_e import CONTROL, PUBLISHED, REAL_EDITS, SETTINGS, drop_table


def _answers(n=200, seed=0):
    generator = np.random.default_rng(seed)
    original = generator.random(n) < 0.9
    edited = {slug: original & (generator.random(n) > 0.05 * place) for place, slug in enumerate(SETTINGS)}
    return original, edited


def _table(original, edited, *, resamples=300, seed=0):
    return drop_table(original, edited, resamples=resamples, generator=np.random.default_rng(seed))


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_published_mean_is_that_of_the_ten_real_edits(model):
    row = PUBLISHED[model]
    assert list(row.drops) == list(SETTINGS)
    assert sum(row.drops[slug] for slug in REAL_EDITS) / 10 == pytest.approx(row.mean_drop, abs=6e-5)
    assert row.drops["background_smooth"] < row.drops["background_complex"] < row.drops["background_adversarial"]
    assert row.drops["size_0.1"] < row.drops["size_0.08"] < row.drops["size_0.05"]


def test_the_abstracts_9_23_points_are_the_busier_background_of_seven_models():
    busier = [row.drops["background_complex"] for row in list(PUBLISHED.values())[:7]]
    assert sum(busier) / 7 == pytest.approx(0.0923, abs=5e-5)


def test_counts_and_rates_of_four_pictures():
    original = np.array([True, True, True, False])
    edited = np.array([False, False, True, True])
    drop = _table(original, {"position": edited}).settings["position"]
    assert (drop.correct, drop.lost, drop.gained) == (2, 2, 1)
    assert (drop.top1.value, drop.drop.value, drop.drop.n) == (0.5, 0.25, 4)


def test_the_mean_leaves_the_control_out():
    original, edited = _answers()
    table = _table(original, edited)
    drops = {slug: drop.drop.value for slug, drop in table.settings.items()}
    assert table.mean_drop.value == pytest.approx(sum(drops[slug] for slug in REAL_EDITS) / 10)
    edited[CONTROL] = np.zeros_like(original)
    assert _table(original, edited).mean_drop == table.mean_drop
    del edited["position"]
    assert _table(original, edited).mean_drop is None


def test_the_interval_is_paired_and_holds_the_value():
    original, edited = _answers()
    table = _table(original, edited | {CONTROL: original})
    control = table.settings[CONTROL].drop
    assert (control.low, control.value, control.high) == (0, 0, 0)
    for drop in table.settings.values():
        assert drop.drop.low <= drop.drop.value <= drop.drop.high
    order = np.random.default_rng(1).permutation(len(original))
    shuffled = _table(original[order], {slug: right[order] for slug, right in edited.items()})
    assert shuffled.mean_drop.value == pytest.approx(table.mean_drop.value)


@pytest.mark.parametrize(
    ("edited", "said"),
    [({"-20": np.ones(4, bool)}, "paper's own name"), ({"position": np.ones(3, bool)}, "4 pictures")],
)
def test_other_names_and_other_pictures_are_refused(edited, said):
    with pytest.raises(ArgumentError, match=said):
        _table(np.ones(4, bool), edited)
