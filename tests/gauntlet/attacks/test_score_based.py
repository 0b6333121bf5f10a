from functools import partial

import pytest
import torch
from torch import nn

from gauntlet.attacks import score_based
from gauntlet.attacks.balls import lengths
from gauntlet.attacks.gradient import pgd
from gauntlet.attacks.noise import Noise
from gauntlet.attacks.score_based import nattack, nes, spsa
from gauntlet.attacks.standing import standing
from gauntlet.errors import ArgumentError
from tests.fixtures.blobs import Linear, blobs, sizes_asked, victim

ATTACKS = {
    "nes": lambda *images, **more: nes(*images, **{"alpha": 0.02, "steps": 15, "samples": 30, **more}),
    "spsa": lambda *images, **more: spsa(*images, **{"alpha": 0.02, "steps": 15, "samples": 20, **more}),
    "nattack": lambda *images, **more: nattack(*images, **{"alpha": 0.05, "steps": 20, "samples": 30, **more}),
}
EPS = 0.07


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("draw", [Noise.normal, Noise.signs])
def test_the_estimate_on_a_linear_model_is_its_gradient(draw):
    """Its error on d pixels falls as sqrt(d / samples)."""
    model, x = Linear(classes=2), Linear.images(5, seed=1)
    y = model(x).argmax(1)
    stand = standing(model, x, y, eps=0.1, norm="linf", batch=5, generator=seeded())
    found = score_based._Differences(model, draw, samples=6400, sigma=0.01, at_once=4096).gradient(stand.x, stand)
    truth = (model.weight[1 - stand.y] - model.weight[stand.y]).view_as(x)
    relative = lengths(found - truth, "l2") / lengths(truth, "l2")
    assert relative.max() < 2 * (32 / 6400) ** 0.5


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize(("norm", "dual"), [("linf", 1), ("l2", 2)])
def test_a_linear_model_breaks_a_little_beyond_its_radius_and_never_within(name, norm, dual):
    model, x = Linear(classes=2), Linear.images(12, seed=2)
    y = model(x).argmax(1)
    truth = model.radii(x, y, dual=dual)
    settings = {"norm": norm, "samples": 60, "steps": 40, "alpha": 0.02 if name != "nes" else truth.max() / 10}
    within = ATTACKS[name](model, x, y, eps=0.98 * truth, generator=seeded(), **settings)
    beyond = ATTACKS[name](model, x, y, eps=1.6 * truth, generator=seeded(), **settings)
    assert (model(within).argmax(1) == y).all()
    assert (model(beyond).argmax(1) != y).all()


@pytest.mark.parametrize("name", ATTACKS)
def test_nearly_as_strong_as_the_true_gradient(name):
    (x, y), model = blobs(25, seed=1), victim()
    white = pgd(model, x, y, eps=EPS, alpha=EPS / 4, steps=20, generator=seeded())
    black = ATTACKS[name](model, x, y, eps=EPS, steps=30, samples=64, generator=seeded())
    broken = [float((model(x_adv).argmax(1) != y).float().mean()) for x_adv in (white, black)]
    assert 0.6 < broken[0] <= 1
    assert broken[1] > 0.7 * broken[0]


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("name", ATTACKS)
def test_it_stays_in_the_ball_and_the_box(name, norm):
    (x, y), model = blobs(8, seed=2), victim()
    x = (x > 0.5).float()
    y = model(x).argmax(1)
    eps = torch.linspace(0, 1, 8) * {"linf": 0.1, "l2": 1, "l1": 5}[norm]
    x_adv = ATTACKS[name](model, x, y, eps=eps, norm=norm, steps=3, generator=seeded())
    assert (lengths(x_adv - x, norm) <= eps + 1e-5).all()
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    assert torch.equal(x_adv[0], x[0])


@pytest.mark.parametrize("name", ATTACKS)
def test_neighbours_batch_and_memory_change_nothing(name):
    (x, y), model = blobs(10, seed=3), victim()
    order = torch.randperm(10, generator=seeded())

    def run(which, **more):
        return ATTACKS[name](model, x[which], y[which], eps=EPS, steps=6, generator=seeded(5), **more)

    found = run(torch.arange(10))
    assert (model(found).argmax(1) != y).any()
    torch.testing.assert_close(run(order), found[order], atol=1e-5, rtol=0)
    torch.testing.assert_close(run(torch.arange(3)), found[:3], atol=1e-5, rtol=0)
    torch.testing.assert_close(run(torch.arange(10), at_once=7), found, atol=1e-5, rtol=0)
    assert not torch.allclose(ATTACKS[name](model, x, y, eps=EPS, steps=6, generator=seeded(6)), found, atol=1e-3)


@pytest.mark.parametrize("name", ATTACKS)
def test_broken_and_wrong_images_ask_no_more(name):
    sizes = sizes_asked(partial(ATTACKS[name], eps=0.5, generator=seeded()), seed=4)
    assert sizes[0] == 10
    assert max(sizes[1:]) <= 5 * 60
    most = {"nes": 15 * 61, "spsa": 15 * 41, "nattack": 20 * 30}[name]
    assert sum(sizes) < 0.8 * 5 * most


@pytest.mark.parametrize("name", ATTACKS)
def test_no_gradient_is_asked_for(name):
    class Opaque(nn.Module):
        def forward(self, x):
            assert not torch.is_grad_enabled()
            return victim()(x)

    x, y = blobs(4, seed=5)
    assert not ATTACKS[name](Opaque(), x, y, eps=EPS, generator=seeded()).requires_grad


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": 0}, "at least 1"),
        ({"samples": 0}, "at least 1"),
        ({"sigma": 0.0}, "above 0"),
        ({"alpha": 0.0}, "above 0"),
        ({"eps": 8}, "8/255, not 8"),
    ],
)
def test_bad_settings_are_refused(name, settings, said):
    x, y = blobs(2, seed=0)
    with pytest.raises(ArgumentError, match=said):
        ATTACKS[name](victim(), x, y, generator=seeded(), **{"eps": EPS, **settings})
