"""Leakage: states that tell the group outright, states that do not, the labels' part, the code's length."""

import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.metrics import leakage as module
from gauntlet.metrics.leakage import PROBES, leakage, online_codelength


def states(count: int, *, shift: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return states of eight dimensions, of which two move by `shift` between groups, and the groups."""
    random = np.random.default_rng(seed)
    z = np.arange(count) % 2
    return random.normal(size=(count, 8)) + shift * z[:, None] * np.array([1, 1, 0, 0, 0, 0, 0, 0]), z


def probed(shift: float) -> module.Leakage:
    train, test = states(400, shift=shift, seed=1), states(300, shift=shift, seed=2)
    return leakage(*train, test_states=test[0], test_z=test[1], seed=0)


def test_every_probe_finds_what_is_there():
    assert all(found.value > 0.97 for found in probed(6).probes.values())


def test_no_probe_finds_what_is_not_there():
    found = probed(0)
    assert list(found.probes) == list(PROBES)
    assert found.majority == 0.5
    assert all(rate.low < 0.5 < rate.high for rate in found.probes.values())


def test_probes_see_what_is_hidden_from_a_line():
    random = np.random.default_rng(0)
    points = random.uniform(-1, 1, (900, 2))
    z = (points[:, 0] * points[:, 1] > 0).astype(int)
    found = leakage(points[:600], z[:600], test_states=points[600:], test_z=z[600:], seed=0).probes
    assert found["logistic"].value < 0.65
    assert min(found["mlp"].value, found["neighbours"].value) > 0.9


def test_a_dimension_that_never_varies_and_the_majority_of_unequal_groups():
    train, z = states(64, shift=6, seed=1)
    train[:, 5] = 3.0
    found = leakage(train, z, test_states=train[:40], test_z=np.r_[np.zeros(30, int), np.ones(10, int)], seed=0)
    assert found.majority == 0.75
    assert set(found.probes) == set(PROBES)


def test_the_same_seed_gives_the_same_and_the_states_are_left_alone():
    train, z = states(64, shift=1, seed=1)
    before = train.copy()
    first, second = (leakage(train, z, test_states=train, test_z=z, seed=5) for _ in range(2))
    assert first == second
    assert (train == before).all()


def test_the_codes_length_by_hand(monkeypatch):
    train, z = states(64, shift=0, seed=1)

    class Sure:
        """Says 0.25 for group 0 and 0.75 for group 1, whatever it is shown."""

        def fit(self, _states, _z):
            return self

        def predict_proba(self, block):
            return np.tile([0.25, 0.75], (len(block), 1))

    monkeypatch.setattr(module, "logistic", lambda _seed: Sure())
    found = online_codelength(train, z, seed=0)
    sent = np.random.default_rng(0).permutation(z)
    begin = 2 if len(set(sent[:2].tolist())) == 2 else next(end for end in (4, 8, 16) if len(set(sent[:end])) == 2)
    rest = sent[begin:]
    expected = begin + 2 * (rest == 0).sum() - np.log2(0.75) * (rest == 1).sum()
    assert found.bits == pytest.approx(expected)
    assert (found.uniform, found.n) == (64, 64)


def test_states_that_tell_need_a_shorter_code():
    told, blind = (online_codelength(*states(400, shift=shift, seed=1), seed=0).bits for shift in (6, 0))
    assert told < 60 < 380 < blind


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, z: leakage(x, z, test_states=x, test_z=z, seed=0, probes=["oracle"]), "oracle"),
        (lambda x, z: leakage(x, 0 * z, test_states=x, test_z=z, seed=0), "two groups"),
        (lambda x, z: leakage(x, z, test_states=x[:0], test_z=z[:0], seed=0), "a record"),
        (lambda x, z: online_codelength(x[:31], z[:31], seed=0), "at least 32"),
    ],
)
def test_what_cannot_be_probed(call, message):
    with pytest.raises(ArgumentError, match=message):
        call(*states(40, shift=0, seed=0))
