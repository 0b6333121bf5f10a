"""Who fools whom: a copy is fooled wholly, a stranger not at all, oneself as by a white-box attack."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from gauntlet.attacks.survival import right_in_batches
from gauntlet.errors import ArgumentError
from gauntlet.suites import SUITES, Plan, transfers
from gauntlet.suites.classifier import pixels
from gauntlet.suites.transfer import made_on
from tests.gauntlet.suites.conftest import Linear

PLAN = Plan(batch=7, eps=0.008, transfer={"mim": {"steps": 10}, "pgd": {"steps": 10}}, attacks={}, checked=2)


@pytest.fixture
def models(linear):
    """The linear classifier, its copy, and one whose weights stand at right angles to its gradient's sign."""
    w = linear.model.w
    half = len(w) // 2
    away = torch.zeros_like(w)
    away[:half] = w[:half].sign()
    away[half:] = -w[half:].sign()
    away[half:] *= away[:half].abs().sum() / away[half:].abs().sum()
    z = (pixels(linear.x).flatten(1) @ away).median()
    return {"one": linear.model, "copy": deepcopy(linear.model), "stranger": Linear(away, float(z) + 1e-3)}


def test_who_is_fooled_by_whom(linear, models):
    found = transfers(models, linear.x, linear.y, plan=PLAN)
    clean = {name: right_in_batches(each, pixels(linear.x), linear.y, batch=9) for name, each in models.items()}
    least = linear.model.radii(linear.x, linear.y, "linf")
    white = (least > PLAN.eps).tolist()
    for attack in PLAN.transfer:
        to_self = found["one"][f"transfer/{attack}/one"]
        assert to_self.tolist() == white
        assert found["copy"][f"transfer/{attack}/one"].tolist() == white
        assert found["one"][f"transfer/{attack}/copy"].tolist() == white
        # Where the source's attack moves every pixel by eps along w's sign, the stranger's sum does not move.
        assert found["stranger"][f"transfer/{attack}/one"].tolist() == clean["stranger"].tolist()
        assert 0 < to_self.sum() < clean["one"].sum()
        assert found["stranger"][f"transfer/{attack}/stranger"].sum() < clean["stranger"].sum()


def test_transfer_to_oneself_is_the_white_box_attack(linear):
    plan = replace(PLAN, attacks=PLAN.transfer)
    white = SUITES["attacks"](*linear, plan=plan).values
    found = transfers({"one": linear.model}, linear.x, linear.y, plan=plan)["one"]
    for attack in plan.transfer:
        assert found[f"transfer/{attack}/one"].tolist() == white[f"attack/{attack}"].tolist()


def test_every_source_is_shown_to_every_target_unless_some_are_named(linear, models):
    keys = lambda sources: {f"transfer/{attack}/{source}" for attack in PLAN.transfer for source in sources}  # noqa: E731
    found = transfers(models, linear.x, linear.y, plan=PLAN)
    assert {name: set(row) for name, row in found.items()} == dict.fromkeys(models, keys(models))
    few = transfers(models, linear.x, linear.y, plan=PLAN, sources=["copy"])
    assert {name: set(row) for name, row in few.items()} == dict.fromkeys(models, keys(["copy"]))
    for name, row in few.items():
        assert all(right.tolist() == found[name][key].tolist() for key, right in row.items())
        assert all(right.dtype == bool and right.shape == (len(linear.y),) for right in row.values())


@pytest.mark.parametrize("attack", PLAN.transfer)
def test_images_stay_in_the_ball_and_none_is_left_out(linear, attack):
    x_adv = made_on(linear.model, linear.x, linear.y, attack=attack, plan=PLAN)
    change = (x_adv - pixels(linear.x)).abs().flatten(1).amax(1)
    right = right_in_batches(linear.model, pixels(linear.x), linear.y, batch=9)
    assert (change <= PLAN.eps + 1e-6).all()
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    assert (change[right] > PLAN.eps / 2).all()


@pytest.mark.parametrize("attack", PLAN.transfer)
def test_neither_the_batch_nor_the_order_of_images_matters(linear, attack):
    whole = made_on(linear.model, linear.x, linear.y, attack=attack, plan=PLAN)
    single = made_on(linear.model, linear.x, linear.y, attack=attack, plan=replace(PLAN, batch=1))
    torch.testing.assert_close(single, whole, atol=1e-6, rtol=0)
    order = torch.randperm(len(linear.y), generator=torch.Generator().manual_seed(2))
    permuted = made_on(linear.model, linear.x[order], linear.y[order], attack=attack, plan=PLAN)
    torch.testing.assert_close(permuted, whole[order], atol=1e-6, rtol=0)


def test_the_pictures_themselves_stay_as_they_are(linear):
    before = linear.x.clone()
    made_on(linear.model, linear.x, linear.y, attack="mim", plan=PLAN)
    assert torch.equal(linear.x, before)


def test_a_label_beyond_the_classes_is_one_line(linear):
    with pytest.raises(ArgumentError, match=r"labels must lie in \[0, 1\], the model's classes; got 5"):
        made_on(linear.model, linear.x, linear.y + 4, attack="mim", plan=PLAN)
