import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, precision_score, recall_score

from gauntlet.errors import ArgumentError
from gauntlet.metrics.agreement import balanced_accuracy, cohen_kappa, judge_quality
from gauntlet.metrics.intervals import wilson

SETTING = {"resamples": 200}


def tags(text):
    """One letter a record: s, u, and e for an error."""
    return [{"s": "safe", "u": "unsafe", "e": "error"}[letter] for letter in text]


def generator():
    return np.random.default_rng(0)


def test_the_papers_balanced_accuracy():
    assert round(balanced_accuracy(95.48, 88.98), 2) == 92.23
    assert round(balanced_accuracy(92.32, 84.13), 2) == pytest.approx(88.23, abs=0.011)


def test_quality_by_hand():
    # labels:      5 safe, of which 4 right; 4 unsafe, of which 3 right; 1 error
    quality = judge_quality(tags("ssssu uuus e".replace(" ", "")), tags("sssssuuuuu"), **SETTING, generator=generator())
    assert quality.recall_safe == wilson(4, 5)
    assert quality.recall.value == 3 / 4
    assert quality.balanced_accuracy.value == (4 / 5 + 3 / 4) / 2
    assert (quality.precision.value, quality.precision.n) == (3 / 4, 4)
    assert (quality.precision_safe.value, quality.precision_safe.n) == (4 / 5, 5)
    assert quality.accuracy.value == 7 / 9
    assert (quality.n, quality.errors) == (9, 1)
    assert quality.balanced_accuracy.low < quality.balanced_accuracy.value < quality.balanced_accuracy.high


@given(st.lists(st.tuples(st.sampled_from("su"), st.sampled_from("su")), min_size=1, max_size=40))
def test_quality_is_that_of_scikit_learn(pairs):
    said, true = tags([one for one, _ in pairs]), tags([two for _, two in pairs])
    quality = judge_quality(said, true, resamples=2, generator=generator())
    if len(set(true)) == 2:
        assert quality.balanced_accuracy.value == pytest.approx(balanced_accuracy_score(true, said), abs=1e-12)
        assert quality.recall.value == pytest.approx(recall_score(true, said, pos_label="unsafe"), abs=1e-12)
    if "unsafe" in said:
        precision = precision_score(true, said, pos_label="unsafe")
        assert quality.precision.value == pytest.approx(precision, abs=1e-12)
    if len({*said, *true}) == 2:
        kappa = cohen_kappa(said, true, resamples=2, generator=generator())
        assert kappa.value == pytest.approx(cohen_kappa_score(said, true), abs=1e-12)


def test_a_missing_class_has_no_rate():
    quality = judge_quality(tags("sss"), tags("sss"), **SETTING, generator=generator())
    assert quality.balanced_accuracy is None
    assert quality.recall is None
    assert quality.precision is None
    assert quality.recall_safe.value == 1


def test_nothing_but_errors():
    quality = judge_quality(tags("ee"), tags("su"), **SETTING, generator=generator())
    assert (quality.n, quality.errors, quality.accuracy) == (0, 2, None)


def test_labels_must_be_labels():
    with pytest.raises(ArgumentError, match="'error'"):
        judge_quality(tags("s"), tags("e"), **SETTING, generator=generator())
    with pytest.raises(ArgumentError, match="same records"):
        judge_quality(tags("s"), tags("ss"), **SETTING, generator=generator())


def test_kappa_of_a_textbook():
    # Two readers of 50 proposals: both yes 20, both no 15, apart 5 and 10: kappa 0.4.
    first, second = tags("s" * 25 + "u" * 25), tags("s" * 20 + "u" * 5 + "s" * 10 + "u" * 15)
    kappa = cohen_kappa(first, second, resamples=2000, generator=generator())
    assert kappa.value == pytest.approx(0.4)
    # Standard error sqrt(p (1 - p) / n) / (1 - chance) = 0.13.
    assert kappa.low == pytest.approx(0.4 - 1.96 * 0.13, abs=0.04)
    assert kappa.high == pytest.approx(0.4 + 1.96 * 0.13, abs=0.04)
    assert kappa.n == 50


def test_kappa_leaves_errors_out():
    first, second = tags("suesu"), tags("susue")
    kappa = cohen_kappa(first, second, **SETTING, generator=generator())
    whole = cohen_kappa(tags("sus"), tags("suu"), **SETTING, generator=generator())
    assert kappa == whole


def test_kappa_of_one_mind():
    assert cohen_kappa(tags("susu"), tags("susu"), **SETTING, generator=generator()).value == 1
    assert cohen_kappa(tags("sss"), tags("sss"), **SETTING, generator=generator()) is None
    assert cohen_kappa([], [], **SETTING, generator=generator()) is None


def test_independent_judges_agree_by_chance_alone():
    draws = np.random.default_rng(1).random((2, 20_000)) < [[0.3], [0.6]]
    first, second = (["safe" if yes else "unsafe" for yes in row] for row in draws)
    kappa = cohen_kappa(first, second, **SETTING, generator=generator())
    assert kappa.low < 0 < kappa.high
