"""PGD against editors: closed form on linear ones, the ball, all edits or in turn, the region, what is refused."""

import pytest
import torch

from gauntlet.attacks.disruption import disruption_pgd
from gauntlet.errors import ArgumentError

EPS = 0.025


class Gain:
    """An editor whose edit `n` multiplies all pixels (or those of the left half) by a gain."""

    name = "gain"

    def __init__(self, *gains: float, left: bool = False) -> None:
        self.gains, self.left = gains, left
        self.attributes = tuple(f"edit{n}" for n in range(len(gains)))
        self.asked: list[int] = []

    def edit(self, x, attribute):
        self.asked.append(attribute)
        gain = torch.full_like(x, self.gains[attribute])
        if self.left:
            gain[..., x.shape[3] // 2 :] = 1
        return x * gain


def attack(manipulators, x, **settings):
    settings = {"eps": EPS, "alpha": 0.005, "steps": 12} | settings
    return disruption_pgd(manipulators, x, generator=torch.Generator().manual_seed(0), **settings)


@pytest.fixture
def x():
    return 0.3 + 0.4 * torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_linear_editor_is_disrupted_to_the_corners_of_the_ball(x):
    x_adv = attack([Gain(2.0)], x)
    torch.testing.assert_close((x_adv - x).abs(), torch.full_like(x, EPS), atol=1e-6, rtol=0)


def test_the_ball_and_the_box_hold(x):
    wide = (x - 0.3) / 0.4
    x_adv = attack([Gain(2.0, -1.0)], wide, steps=3)
    assert (x_adv - wide).abs().max() <= EPS + 1e-6
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1


def test_every_edit_of_every_manipulator_is_asked(x):
    one, two = Gain(1.0, 2.0), Gain(3.0)
    attack([one, two], x, steps=2)
    assert one.asked == [0, 1] * 3
    assert two.asked == [0] * 3
    one.asked.clear()
    attack([one], x, steps=4, per_step=1)
    assert one.asked == [0, 1, 0, 1, 0, 1]
    one.asked.clear()
    attack([one], x, steps=2, attributes=[1])
    assert set(one.asked) == {1}


def test_over_the_region_nothing_else_is_worth_a_step(x):
    editor = Gain(2.0, left=True)
    start = attack([editor], x, steps=1, changed=0.5, alpha=1e-9)
    moved = attack([editor], x, changed=0.5) - start
    assert moved[..., :4].abs().max() > 0.01
    assert moved[..., 4:].abs().max() < 1e-6
    assert (attack([editor], x) - start)[..., 4:].abs().max() > 0.01


def test_a_start_elsewhere_stays_in_the_ball_around_the_picture(x):
    mark = (x + EPS * torch.randn(x.shape, generator=torch.Generator().manual_seed(2)).sign()).clamp(0, 1)
    x_adv = attack([Gain(1.0)], x, target=mark, steps=1, alpha=1e-9)
    assert (x_adv - x).abs().max() <= EPS + 1e-6
    assert ((x_adv - x).sign() == (mark - x).sign()).float().mean() > 0.99


def test_a_permuted_batch_is_permuted(x):
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(attack([Gain(2.0)], x)[order], attack([Gain(2.0)], x[order]))


def test_eps_zero_is_the_picture(x):
    assert torch.equal(attack([Gain(2.0)], x, eps=0), x)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eps": 8}, "eps must lie in"),
        ({"alpha": 0}, "alpha must lie above 0"),
        ({"steps": 0}, "steps and per_step must be at least 1"),
        ({"per_step": 0}, "steps and per_step must be at least 1"),
        ({"attributes": [1]}, "attributes must lie in"),
        ({"attributes": []}, "attributes must number at least 1"),
        ({"manipulators": []}, "manipulators must number at least 1"),
    ],
)
def test_what_is_refused(x, settings, message):
    with pytest.raises(ArgumentError, match=message):
        attack(settings.pop("manipulators", [Gain(2.0)]), x, **settings)
