"""The losses in closed form: their bounds, where they vanish, the reversed gradient."""

import math

import pytest
import torch
from torch.nn import functional

from gauntlet.training.fairberts.losses import (
    ERASURES,
    apart,
    deceive,
    effort,
    from_uniform,
    group_loss,
    kept_meaning,
    reverse,
    to_uniform,
)

EVEN, SURE = torch.zeros(4, 2), torch.tensor([[30.0, -30.0]]).expand(4, 2)
Z = torch.tensor([0, 0, 1, 1])


def test_safe_forms_vanish_where_nothing_is_told_and_are_bounded():
    assert to_uniform(EVEN, Z, alpha=0).item() == pytest.approx(0, abs=1e-6)
    assert from_uniform(EVEN, Z, alpha=0).item() == pytest.approx(0, abs=1e-6)
    assert to_uniform(SURE, Z, alpha=0).item() == pytest.approx(math.log(2))
    # 30 - (-30) apart: log 2 nats less than half the distance.
    assert from_uniform(SURE, Z, alpha=0).item() == pytest.approx(30 - math.log(2))


def test_the_plain_form_rewards_a_discriminator_that_is_surely_wrong():
    wrong = torch.tensor([[-9.0, 9.0], [-9.0, 9.0], [9.0, -9.0], [9.0, -9.0]])
    assert deceive(wrong, Z, alpha=0) < deceive(EVEN, Z, alpha=0)
    assert to_uniform(wrong, Z, alpha=0) > to_uniform(EVEN, Z, alpha=0)
    # Its entropy term takes the reward back.
    assert deceive(EVEN, Z, alpha=1).item() == pytest.approx(-2 * math.log(2))


@pytest.mark.parametrize("name", ["to_uniform", "from_uniform"])
def test_steps_against_an_erasure_lead_to_even_odds(name):
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for _ in range(300):
        (slope,) = torch.autograd.grad(ERASURES[name](logits, None, alpha=0), logits)
        logits = (logits - 5 * slope).detach().requires_grad_()
    assert logits.softmax(1).detach().sub(1 / 3).abs().max() < 0.02


def test_group_loss_leaves_out_unknown_groups_and_weighs():
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    z = torch.tensor([0, -1, 1, -1])
    expected = (functional.cross_entropy(logits[:1], z[:1]) + 3 * functional.cross_entropy(logits[2:3], z[2:3])) / 4
    assert group_loss(logits, z, weights=torch.tensor([1.0, 9.0, 3.0, 9.0])).item() == pytest.approx(expected.item())
    assert group_loss(logits, torch.full((4,), -1), weights=torch.ones(4)).item() == 0


def test_effort_and_meaning():
    assert effort(torch.full((2, 3), 2.0)).item() == 4
    logits = torch.tensor([[1.0, 2.0]])
    assert kept_meaning(logits, logits).item() == pytest.approx(0, abs=1e-7)
    assert kept_meaning(logits, torch.tensor([[2.0, 1.0]])).item() == pytest.approx(math.tanh(0.5))


def test_apart_is_the_share_of_the_distance_that_is_left():
    plain = torch.tensor([[3.0, 4.0], [0.0, 0.0]]).requires_grad_()
    left = (plain / 5).detach().requires_grad_()
    share = apart(left, plain)
    assert share.item() == pytest.approx(1 / 25)
    assert torch.autograd.grad(share, plain, allow_unused=True) == (None,)
    assert apart(torch.zeros(2, 2), torch.zeros(2, 2)).item() == 0


def test_reverse_turns_the_gradient_alone():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    y = reverse(x, 0.5)
    assert torch.equal(y, x)
    (y * torch.tensor([3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [-1.5, -2.0]
