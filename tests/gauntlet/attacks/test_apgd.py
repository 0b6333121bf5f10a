"""APGD, FAB and Square on a linear model with its exact radius; APGD's schedule; the reference package as oracle."""

import copy

import pytest
import torch
from pyautoattack.autopgd_base import APGDAttack, APGDAttack_targeted
from pyautoattack.fab_pt import FABAttack_PT

from gauntlet.attacks.apgd import apgd, apgd_targeted
from gauntlet.attacks.apgd_walk import checkpoints
from gauntlet.attacks.balls import NORMS, lengths
from gauntlet.attacks.fab import fab_targeted
from gauntlet.attacks.gradient import right
from gauntlet.attacks.hyperplanes import onto_hyperplane
from gauntlet.errors import ArgumentError

DUAL = {"linf": "l1", "l2": "l2", "l1": "linf"}
EPS = {"linf": 0.03, "l2": 0.35}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def radii(model, x, y, norm: str) -> torch.Tensor:
    """Return the exact radius of each image of a two-class linear model, far from the box."""
    (weight,) = model.parameters()
    margins = model(x).gather(1, y[:, None]) - model(x).gather(1, 1 - y[:, None])
    return margins[:, 0] / lengths((weight[0] - weight[1])[None], DUAL[norm])


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack", [apgd, apgd_targeted, fab_targeted])
def test_breaks_a_linear_model_just_beyond_its_radius_and_never_before(linear, attack, norm):
    model, x, y = linear(2)
    radius = radii(model, x, y, norm)
    beyond = attack(model, x, y, eps=1.01 * radius, norm=norm, generator=seeded())
    assert not right(model, beyond, y).any()
    assert (lengths(beyond - x, norm) <= 1.01 * radius + 1e-6).all()
    assert torch.equal(attack(model, x, y, eps=0.99 * radius, norm=norm, generator=seeded()), x)


@pytest.mark.parametrize(("attack", "slack"), [(apgd, 1.2), (apgd_targeted, 1.2), (fab_targeted, 1.01)])
def test_breaks_a_linear_model_in_l1(linear, attack, slack):
    """The shortest way to the boundary takes the steepest pixels to the box; the sparse steps come near it."""
    model, x, y = linear(2)
    (weight,) = model.parameters()
    margins = (model(x) * torch.where(y[:, None] == torch.arange(2), 1, -1)).sum(1)
    way = onto_hyperplane(x.flatten(1), weight[1 - y] - weight[y], margins, norm="l1")
    radius = lengths(way, "l1")
    beyond = attack(model, x, y, eps=slack * radius, norm="l1", generator=seeded())
    assert not right(model, beyond, y).any()
    assert (lengths(beyond - x, "l1") <= slack * radius + 1e-5).all()
    assert torch.equal(attack(model, x, y, eps=0.99 * radius, norm="l1", generator=seeded()), x)


def theirs(attack, model, x, y, *, norm: str, **settings) -> torch.Tensor:
    norm = {"linf": "Linf", "l2": "L2"}[norm]
    # A copy, since their FAB leaves gradients on the weights.
    return attack(copy.deepcopy(model), norm=norm, device="cpu", seed=0, **settings).perturb(x, y)


@pytest.mark.parametrize("norm", EPS)
def test_as_strong_as_the_reference_on_cross_entropy(trained, norm):
    model, x, y = trained
    ours = apgd(model, x, y, eps=EPS[norm], steps=40, norm=norm, generator=seeded())
    reference = theirs(APGDAttack, model, x, y, norm=norm, eps=EPS[norm], n_iter=40, loss="ce")
    assert abs(int(right(model, ours, y).sum()) - int(right(model, reference, y).sum())) <= 2


@pytest.mark.parametrize("norm", EPS)
def test_as_strong_as_the_reference_towards_targets(trained, norm):
    model, x, y = trained.model, trained.x[:150], trained.y[:150]
    ours = apgd_targeted(model, x, y, eps=EPS[norm], steps=25, targets=4, norm=norm, generator=seeded())
    settings = {"eps": EPS[norm], "n_iter": 25, "n_target_classes": 4}
    reference = theirs(APGDAttack_targeted, model, x, y, norm=norm, **settings)
    assert abs(int(right(model, ours, y).sum()) - int(right(model, reference, y).sum())) <= 2


@pytest.mark.parametrize("norm", EPS)
def test_fab_as_strong_as_the_reference(trained, norm):
    model, x, y = trained.model, trained.x[:150], trained.y[:150]
    ours = fab_targeted(model, x, y, eps=EPS[norm], steps=20, targets=4, norm=norm, generator=seeded())
    settings = {"eps": EPS[norm], "n_iter": 20, "n_target_classes": 4, "targeted": True}
    reference = theirs(FABAttack_PT, model, x, y, norm=norm, **settings)
    assert abs(int(right(model, ours, y).sum()) - int(right(model, reference, y).sum())) <= 2


def test_the_published_checkpoints():
    """Of 100 steps: p = 0, 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93, 0.99 (section 3.2)."""
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert checkpoints(1) == [1]


def test_restarts_break_no_fewer(trained):
    model, x, y = trained
    once, thrice = (
        right(model, apgd(model, x, y, eps=0.025, steps=10, restarts=runs, generator=seeded()), y) for runs in (1, 3)
    )
    assert (thrice <= once).all()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [2, 3])
def test_few_classes_have_targets_too(linear, classes, norm):
    model, x, y = linear(classes)
    eps = {"linf": 0.2, "l2": 2.0, "l1": 15.0}[norm]
    x_adv = apgd_targeted(model, x, y, eps=eps, steps=10, norm=norm, generator=seeded())
    assert right(model, x_adv, y).float().mean() < 0.5


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"steps": 0}, "steps must be at least 1; got 0"),
        ({"restarts": 0}, "restarts at least 1; got 'cross_entropy', 0"),
        ({"loss": "ce"}, "loss must be one of cross_entropy, margin, dlr"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"norm": "Linf"}, "norm must be one of linf, l2, l1; got 'Linf'"),
    ],
)
def test_settings_out_of_range(trained, settings, line):
    with pytest.raises(ArgumentError, match=line):
        apgd(trained.model, trained.x[:2], trained.y[:2], eps=0.1, **settings, generator=seeded())


def test_no_target_is_refused(trained):
    with pytest.raises(ArgumentError, match="targets must be at least 1; got 0"):
        fab_targeted(trained.model, trained.x[:2], trained.y[:2], eps=0.1, targets=0, generator=seeded())
