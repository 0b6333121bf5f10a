import pytest
import torch
from torch import nn

from gauntlet.attacks.balls import lengths
from gauntlet.attacks.boundary import _bisected, _starts, boundary
from gauntlet.attacks.deepfool import deepfool
from gauntlet.attacks.standing import standing
from gauntlet.errors import ArgumentError
from tests.fixtures.blobs import Linear, blobs, victim


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_it_comes_down_to_a_linear_boundary():
    shape = (1, 2, 2)
    model, x = Linear(classes=2, shape=shape), Linear.images(8, seed=1, shape=shape)
    y = model(x).argmax(1)
    x_adv = boundary(model, x, y, steps=400, generator=seeded())
    ratio = lengths(x_adv - x, "l2") / model.radii(x, y, dual=2)
    assert (model(x_adv).argmax(1) != y).all()
    assert ratio.min() >= 1 - 1e-4
    assert ratio.max() < 1.01
    assert ratio.median() < 1.001


def test_more_steps_come_nearer_and_end_near_deepfool():
    (x, y), model = blobs(12, seed=1), victim()
    near = lengths(deepfool(model, x, y) - x, "l2").mean()
    means = [
        lengths(boundary(model, x, y, steps=steps, generator=seeded()) - x, "l2").mean() for steps in (1, 150, 700)
    ]
    assert means[0] > 1.3 * means[1] > 1.5 * means[2]
    assert means[2] < 1.4 * near


def test_every_place_on_the_way_is_adversarial_and_nearer():
    (x, y), model = blobs(6, seed=2), victim()
    before = None
    for steps in (1, 5, 20, 60):
        x_adv = boundary(model, x, y, steps=steps, generator=seeded())
        assert (model(x_adv).argmax(1) != y).all()
        assert x_adv.min() >= 0
        assert x_adv.max() <= 1
        distance = lengths(x_adv - x, "l2")
        assert before is None or (distance <= before).all()
        before = distance


def test_the_starts_are_wrong_and_bisection_ends_at_the_boundary():
    (x, y), model = blobs(20, seed=3), victim()
    stand = standing(model, x, y, eps=1.0, norm="l2", batch=20, generator=seeded())
    begin, found = _starts(model, stand, 50)
    assert found.all()
    assert (model(begin).argmax(1) != stand.y).all()
    near = _bisected(model, stand.x, y=stand.y, far=begin)
    assert (model(near).argmax(1) != stand.y).all()
    inside = near + 2**-12 * 1.01 * (stand.x - begin)
    assert (model(inside).argmax(1) == stand.y).all()


def test_with_a_radius_images_leave_once_inside():
    (x, y), model = blobs(12, seed=4), victim()
    free = lengths(boundary(model, x, y, steps=150, generator=seeded()) - x, "l2")
    eps = torch.where(torch.arange(12) % 2 == 0, 1.2 * free, 0.3 * free)
    rows = []
    watch = model.register_forward_hook(lambda _, inputs, __: rows.append(len(inputs[0])))
    x_adv = boundary(model, x, y, eps=eps, steps=150, generator=seeded())
    watch.remove()
    assert (lengths(x_adv - x, "l2") <= eps * (1 + 1e-5)).all()
    assert torch.equal(model(x_adv).argmax(1) != y, torch.arange(12) % 2 == 0)
    assert rows[-1] == 6


def test_neighbours_and_order_change_nothing():
    (x, y), model = blobs(8, seed=5), victim()
    order = torch.randperm(8, generator=seeded())
    found = boundary(model, x, y, steps=25, generator=seeded(3))
    moved = boundary(model, x[order], y[order], steps=25, generator=seeded(3))
    torch.testing.assert_close(moved, found[order], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        boundary(model, x[:2], y[:2], steps=25, generator=seeded(3)), found[:2], atol=1e-5, rtol=0
    )
    assert not torch.allclose(boundary(model, x, y, steps=25, generator=seeded(4)), found, atol=1e-3)


def test_only_the_decision_counts():
    class Decision(nn.Module):
        def forward(self, x):
            assert not torch.is_grad_enabled()
            return nn.functional.one_hot(victim()(x).argmax(1), 5).float() - 0.5

    x, y = blobs(4, seed=6)
    found = [boundary(model, x, y, steps=10, generator=seeded()) for model in (victim(), Decision())]
    assert torch.equal(*found)


def test_a_model_that_never_errs_leaves_the_image():
    class Stubborn(nn.Module):
        def forward(self, x):
            return x.mean((1, 2, 3))[:, None] * torch.tensor([2.0, -1.0]) + torch.tensor([1.0, 0.0])

    x, y = blobs(3, seed=0)
    assert torch.equal(boundary(Stubborn(), x, torch.zeros_like(y), steps=5, generator=seeded()), x)
    assert torch.equal(boundary(Stubborn(), x, torch.ones_like(y), steps=5, generator=seeded()), x)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": 0}, "at least 1"),
        ({"along": 0}, "above 0"),
        ({"adaptation": 1}, "above 1"),
        ({"eps": 255}, "eps must"),
    ],
)
def test_bad_settings_are_refused(settings, said):
    x, y = blobs(2, seed=0)
    with pytest.raises(ArgumentError, match=said):
        boundary(victim(), x, y, generator=seeded(), **settings)
