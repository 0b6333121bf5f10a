"""C&W and DeepFool: attacks that look for the least distance."""

import warnings

import pytest
import torch
from torch import nn

from gauntlet.attacks.balls import lengths
from gauntlet.attacks.carlini_wagner import cw
from gauntlet.attacks.deepfool import deepfool
from gauntlet.errors import ArgumentError
from tests.fixtures.blobs import Linear, blobs, sizes_asked, victim

ATTACKS = {
    "cw": lambda model, x, y, **more: cw(model, x, y, **{"steps": 30, "searches": 3, "alpha": 0.03, **more}),
    "deepfool": deepfool,
    "deepfool linf": lambda model, x, y, **more: deepfool(model, x, y, norm="linf", **more),
}


def norm_of(name):
    return "linf" if "linf" in name else "l2"


def linear():
    model, x = Linear(), Linear.images(30, seed=1)
    return model, x, model(x).argmax(1)


@pytest.mark.parametrize(("norm", "dual"), [("l2", 2), ("linf", 1)])
def test_deepfool_takes_one_step_to_a_linear_boundary(norm, dual):
    model, x, y = linear()
    x_adv = deepfool(model, x, y, norm=norm, overshoot=0.02, steps=1)
    found, truth = lengths(x_adv - x, norm), model.radii(x, y, dual=dual)
    assert (model(x_adv).argmax(1) != y).all()
    torch.testing.assert_close(found, 1.02 * truth, rtol=1e-3, atol=1e-4)


def test_cw_ends_at_a_linear_boundary():
    model, x, y = linear()
    x_adv = cw(model, x, y, alpha=0.003, steps=150, searches=5, constant=0.02)
    ratio = lengths(x_adv - x, "l2") / model.radii(x, y, dual=2)
    assert (model(x_adv).argmax(1) != y).all()
    assert ratio.min() >= 1 - 1e-4
    assert ratio.median() < 1.003
    assert ratio.max() < 1.25  # the rival of the greatest logit is not always the nearest


def test_cw_with_confidence_errs_by_that_margin():
    model, x, y = linear()
    logits = model(cw(model, x, y, confidence=0.3, steps=100))
    gap = logits.scatter(1, y[:, None], -torch.inf).amax(1) - logits.gather(1, y[:, None])[:, 0]
    assert gap.min() > 0.3
    assert gap.mean() < 0.4


def test_more_searches_for_the_constant_come_nearer():
    (x, y), model = blobs(25, seed=1), victim()
    means = [lengths(cw(model, x, y, steps=100, searches=searches) - x, "l2").mean() for searches in (1, 4)]
    assert means[1] < 0.99 * means[0]


def oracle(name, model, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torchattacks
    return getattr(torchattacks, name)(model, **settings)


def test_deepfool_is_torchattacks():
    (x, y), model = blobs(25, seed=2), victim()
    theirs, ours = oracle("DeepFool", model, steps=50)(x, y), deepfool(model, x, y)
    assert torch.equal(model(theirs).argmax(1), model(ours).argmax(1))
    torch.testing.assert_close(lengths(ours - x, "l2"), lengths(theirs - x, "l2"), rtol=0.02, atol=1e-4)


def test_cw_is_as_good_as_torchattacks_and_its_search_is_better():
    (x, y), model = blobs(25, seed=2), victim()
    theirs = oracle("CW", model, c=1, kappa=0, steps=200, lr=0.01)(x, y)
    ours, searched = (cw(model, x, y, constant=1, searches=searches) for searches in (1, 4))
    for found in (theirs, ours, searched):
        assert (model(found).argmax(1) != y).all()
    means = [float(lengths(found - x, "l2").mean()) for found in (theirs, ours, searched)]
    assert means[1] < 1.04 * means[0]
    assert means[2] < 0.995 * means[0]


@pytest.mark.parametrize("name", ATTACKS)
def test_a_permuted_batch_gives_the_permuted_result(name):
    (x, y), model = blobs(12, seed=3), victim()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    found, moved = ATTACKS[name](model, x, y), ATTACKS[name](model, x[order], y[order])
    torch.testing.assert_close(found[order], moved, atol=1e-4, rtol=0)
    torch.testing.assert_close(ATTACKS[name](model, x[:3], y[:3]), found[:3], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ATTACKS)
def test_with_a_radius_it_stays_inside(name):
    (x, y), model = blobs(20, seed=4), victim()
    norm = norm_of(name)
    free = lengths(ATTACKS[name](model, x, y) - x, norm)
    eps = free.median().expand(20).clone()
    eps[::2] *= 0.5
    x_adv = ATTACKS[name](model, x, y, eps=eps)
    assert (lengths(x_adv - x, norm) <= eps * (1 + 1e-5)).all()
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    broken = model(x_adv).argmax(1) != y
    assert broken[free < 0.98 * eps].all()
    assert broken.float().mean() > 0.2
    assert torch.equal(ATTACKS[name](model, x, y, eps=0.0), x)


@pytest.mark.parametrize("name", ATTACKS)
def test_images_that_are_wrong_already_come_back_and_are_never_shown_again(name):
    sizes = sizes_asked(ATTACKS[name], seed=5)
    assert sizes[0] == 10
    assert max(sizes[1:]) <= 5


@pytest.mark.parametrize("name", ATTACKS)
def test_the_model_is_left_as_it_was(name):
    (x, y), model = blobs(4, seed=6), nn.Sequential(nn.Flatten(), nn.Linear(128, 5)).eval()
    before = x.clone()
    x_adv = ATTACKS[name](model, x, y)
    assert all(each.grad is None and each.requires_grad for each in model.parameters())
    assert not model.training
    assert torch.equal(x, before)
    assert not x_adv.requires_grad


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x, y: cw(victim(), x, y, constant=0), "constant above 0"),
        (lambda x, y: cw(victim(), x, y, steps=0), "at least 1"),
        (lambda x, y: cw(victim(), x, y, eps=255), "eps must lie in"),
        (lambda x, y: deepfool(victim(), x, y, norm="l1"), "norm must be l2 or linf"),
        (lambda x, y: deepfool(victim(), x, y, overshoot=-1), "overshoot 0 or more"),
        (lambda x, y: deepfool(victim(), x * 255, y), "pixels must lie in"),
        (lambda x, y: cw(nn.Sequential(victim(), nn.Softmax(1)), x, y), "probabilities"),
    ],
)
def test_bad_arguments_are_refused(call, said):
    x, y = blobs(3, seed=0)
    with pytest.raises(ArgumentError, match=said):
        call(x, y)
