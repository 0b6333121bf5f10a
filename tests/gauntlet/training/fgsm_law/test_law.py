"""FGSM-LAW: the regulariser's closed form and gradient, the half cube, and the switches of the released code."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.features import logits_and_features
from gauntlet.training.fgsm_law.law import (
    FgsmLaw,
    Point,
    cross_entropy_on_probabilities,
    lipschitz,
    point,
)
from gauntlet.training.fgsm_law.method import smooth, vertex_start
from tests.fixtures.minibatch import EPS, batch, begun, generator, network

SWITCHES = [
    {"reference": reference, "pixel_reduction": reduction, "ce_on_probs": doubled}
    for reference in ("clean", "init")
    for reduction in ("mean", "sum")
    for doubled in (True, False)
]


def points(*, dtype: torch.dtype = torch.float64) -> tuple[Point, Point]:
    source = generator(3)
    shapes = ((5, 3, 4, 4), (5, 10), (5, 7))
    return tuple(Point(*(torch.rand(shape, generator=source).to(dtype) for shape in shapes)) for _ in range(2))


def test_the_regulariser_by_hand():
    """Two classes, one feature (softmax 1), two pixels: p = (1/2, 1/2) against (3/4, 1/4)."""
    one = Point(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.0, 0.0]]), torch.tensor([[7.0]]))
    other = Point(torch.tensor([[0.75, 0.25]]), torch.tensor([[math.log(3), 0.0]]), torch.tensor([[2.0]]))
    assert lipschitz(one, other, c=0.125).item() == pytest.approx(0.0625 / (0.0625 + 0.125))
    assert lipschitz(one, other, c=0.125, pixel_reduction="sum").item() == pytest.approx(0.0625 / (0.125 + 0.125))


def test_the_regulariser_is_zero_only_where_both_answers_agree():
    one, other = points()
    assert lipschitz(one._replace(x=other.x), one).item() == 0
    assert lipschitz(one, one._replace(features=other.features)) > 0
    assert lipschitz(one, one._replace(logits=other.logits)) > 0


def test_a_constant_on_logits_or_features_changes_nothing():
    one, other = points()
    shifted = one._replace(logits=one.logits + 5, features=one.features - 3)
    assert lipschitz(shifted, other).item() == pytest.approx(lipschitz(one, other).item(), rel=1e-12)


def test_twice_the_constant_halves_the_regulariser_at_a_training_radius():
    one, other = points()
    near = other._replace(x=one.x + EPS * torch.sign(other.x - 0.5) * 0.8)
    assert lipschitz(one, near, c=0.25) / lipschitz(one, near, c=0.125) == pytest.approx(0.5, abs=0.01)


def test_gradients_of_the_regulariser_against_central_differences():
    """On a network of two layers, through both branches."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 4)).double()
    x, x_adv = (torch.rand(3, 3, 2, 2, generator=generator(seed), dtype=torch.float64) for seed in (1, 2))

    def value() -> torch.Tensor:
        return lipschitz(point(model, x_adv), point(model, x))

    value().backward()
    for weight in model.parameters():
        flat, found = weight.data.view(-1), weight.grad.view(-1)
        expected = torch.empty_like(found)
        for place in range(len(flat)):
            kept, step = flat[place].item(), 1e-5
            flat[place] = kept + step
            above = value().item()
            flat[place] = kept - step
            expected[place] = (above - value().item()) / (2 * step)
            flat[place] = kept
        assert (found - expected).norm() <= 1e-5 * expected.norm() + 1e-12


def test_gradients_flow_through_the_reference():
    model, one = network(), batch()
    adversarial = Point(*(tensor.detach() for tensor in point(model, one.x + 0.01)))
    lipschitz(adversarial, point(model, one.x)).backward()
    assert all(weight.grad.abs().sum() > 0 for weight in (model.body.weight, model.head.weight))


def test_the_cross_entropy_on_probabilities_is_that_of_a_second_softmax():
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 3.0, 0.0]])
    p = logits.softmax(1)
    expected = (p.exp().sum(1).log() - p[torch.arange(2), torch.tensor([0, 2])]).mean()
    target = functional.one_hot(torch.tensor([0, 2]), 3).float()
    assert cross_entropy_on_probabilities(logits, target).item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_attack_starts_on_the_half_cube_and_ends_at_4_or_8_of_255():
    model, one = network(), batch()
    begun(FgsmLaw(), model).loss(model, one, generator())
    start, reference, adversarial = (seen - one.x for seen in model.seen)
    torch.testing.assert_close(start.abs(), torch.full_like(start, 4 / 255), atol=1e-6, rtol=0)
    assert 0.4 < (start > 0).float().mean() < 0.6
    assert reference.abs().max() == 0
    sizes = (adversarial.abs() * 255).round(decimals=3)
    assert set(sizes.unique().tolist()) == {4.0, 8.0}


@pytest.mark.parametrize("switches", SWITCHES)
def test_everything_the_model_sees_lies_in_the_ball_and_the_box(switches):
    model, one = network(), batch(low=-0.02, high=1.02)
    one.x.clamp_(0, 1)
    begun(FgsmLaw(**switches), model).loss(model, one, generator())
    for seen in model.seen:
        assert (seen - one.x).abs().max() <= EPS + 1e-6
        assert seen.min() >= 0
        assert seen.max() <= 1


@pytest.mark.parametrize("switches", SWITCHES)
def test_the_loss_as_the_released_code_writes_it(switches):
    """Every forward pass in train mode, in the released order; counts and gradients too."""
    one, mine, plain = batch(), network(), network()
    method = begun(FgsmLaw(**switches), mine)
    found = method.loss(mine, one, generator(5))
    assert all(weight.grad is None for weight in mine.parameters())  # the attack leaves no weight gradients behind
    found.value.backward()

    start = vertex_start(one.x, EPS / 2, generator(5)).requires_grad_()
    logits, features = logits_and_features(plain, one.x + start)
    probabilities = logits.softmax(1)
    climbed = functional.cross_entropy(probabilities if switches["ce_on_probs"] else logits, one.y)
    (gradient,) = torch.autograd.grad(climbed, start, retain_graph=True)
    away = start.detach()
    if switches["reference"] == "clean":
        away = torch.zeros_like(away)
        logits, features = logits_and_features(plain, one.x)
    delta = (start.detach() + EPS * gradient.sign()).clamp(-EPS, EPS)
    logits_adv, features_adv = logits_and_features(plain, one.x + delta)
    squares = (delta - away).square()
    distance = squares.mean() if switches["pixel_reduction"] == "mean" else squares.sum() / len(one.x)
    ratio = functional.mse_loss(logits_adv.softmax(1), logits.softmax(1))
    ratio = (ratio + functional.mse_loss(features_adv.softmax(1), features.softmax(1))) / (distance + 0.125)
    smoothed = torch.full((len(one.y), 4), 0.1).scatter(1, one.y[:, None], 0.7)
    value = functional.cross_entropy(logits_adv, smoothed) + 12 * ratio
    value.backward()

    assert found.value.item() == pytest.approx(value.item(), rel=1e-5)
    assert found.right_adv == (logits_adv.argmax(1) == one.y).sum()
    assert found.right_reference == (logits.argmax(1) == one.y).sum()
    for weight, expected in zip(mine.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, expected.grad, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(mine.norm.running_mean, plain.norm.running_mean)
    assert len(mine.seen) == (3 if switches["reference"] == "clean" else 2)  # the start's pass is shared


def test_without_regulariser_and_smoothing_it_is_fgsm_from_the_half_cube():
    model, one = network(norm=False), batch()
    method = begun(FgsmLaw(lam=0.0, keep=1.0, c=3.0, ce_on_probs=False), model)
    value = method.loss(model, one, generator(2)).value
    start = vertex_start(one.x, EPS / 2, generator(2)).requires_grad_()
    (gradient,) = torch.autograd.grad(functional.cross_entropy(model(one.x + start), one.y), start)
    delta = (start.detach() + EPS * gradient.sign()).clamp(-EPS, EPS)
    assert value.item() == pytest.approx(functional.cross_entropy(model(one.x + delta), one.y).item(), rel=1e-6)


def test_the_smoothed_label_of_ten_classes():
    row = smooth(functional.one_hot(torch.tensor([2]), 10).float(), FgsmLaw().keep)[0]
    assert row.sum().item() == pytest.approx(1, abs=1e-6)
    assert row.tolist() == pytest.approx([0.1 / 3] * 2 + [0.7] + [0.1 / 3] * 7, abs=1e-6)


@pytest.mark.parametrize("wrong", [{"reference": "start"}, {"pixel_reduction": "max"}, {"c": 0.0}])
def test_an_unknown_switch_is_named(wrong):
    with pytest.raises(ArgumentError, match=f"^{next(iter(wrong))} must"):
        FgsmLaw(**wrong)
