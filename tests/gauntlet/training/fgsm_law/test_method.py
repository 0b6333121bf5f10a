import pytest
import torch
from torch import nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.training.fgsm_law import METHODS, build
from gauntlet.training.fgsm_law.method import (
    clip_ball,
    clip_box,
    evaluating,
    input_gradient,
    random_signs,
    right,
    smooth,
    uniform,
    uniform_start,
    vertex_start,
)

EPS = 8 / 255


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 5))


def test_the_papers_soft_label():
    soft = smooth(functional.one_hot(torch.tensor([2]), 10).float(), 0.7)
    assert soft[0].tolist() == pytest.approx([0.7 if n == 2 else 1 / 30 for n in range(10)])


def test_smoothing_a_mixed_label_mixes_smoothed_ones():
    first, second = (functional.one_hot(torch.tensor([n]), 6).double() for n in (1, 4))
    mixed = smooth(0.3 * first + 0.7 * second, 0.6)
    torch.testing.assert_close(mixed, 0.3 * smooth(first, 0.6) + 0.7 * smooth(second, 0.6))


def test_keeping_all_changes_nothing():
    target = torch.rand(3, 4)
    assert smooth(target, 1.0) is target


def test_input_gradient_of_a_linear_model():
    model, x, y = linear(), torch.rand(6, 3, 4, 4, generator=generator()), torch.tensor([0, 1, 2, 3, 4, 0])
    gradient, logits = input_gradient(model, x, y)
    weight = model[1].weight.detach()
    expected = (logits.softmax(1) - functional.one_hot(y, 5)) @ weight
    torch.testing.assert_close(gradient.flatten(1), expected)
    soft = input_gradient(model, x, functional.one_hot(y, 5).float()).gradient
    torch.testing.assert_close(soft, gradient)


def test_input_gradient_of_one_image_ignores_the_others():
    model, x, y = linear(), torch.rand(6, 3, 4, 4, generator=generator()), torch.arange(6) % 5
    torch.testing.assert_close(input_gradient(model, x[:2], y[:2]).gradient, input_gradient(model, x, y).gradient[:2])


def test_input_gradient_leaves_the_weights_alone():
    model = linear()
    model[1].bias.requires_grad_(False)
    input_gradient(model, torch.rand(2, 3, 4, 4), torch.tensor([0, 1]))
    assert all(weight.grad is None for weight in model.parameters())
    assert [weight.requires_grad for weight in model.parameters()] == [True, False]


def test_vertices_before_the_box_are_at_half_the_radius():
    start = vertex_start(torch.full((8, 3, 8, 8), 0.5), EPS / 2, generator())
    assert set((start * 255).round(decimals=3).unique().tolist()) == {-4.0, 4.0}


def test_signs_are_fair_independent_and_of_any_size():
    signs = random_signs((9, 1111), generator(), "cpu")
    assert signs.shape == (9, 1111)
    assert abs(signs.mean()) < 4 / len(signs.view(-1)) ** 0.5
    assert all(abs((signs[:, lag:] * signs[:, :-lag]).mean()) < 0.04 for lag in (1, 7, 8))


@pytest.mark.parametrize("start", [uniform_start, vertex_start])
def test_starts_stay_in_ball_and_box_and_follow_the_generator(start):
    x = torch.rand(4, 3, 8, 8, generator=generator())
    x[0], x[1] = 0.0, 1.0
    delta = start(x, EPS, generator(1))
    assert delta.abs().max() <= EPS + 1e-7
    assert (x + delta).min() >= -1e-7
    assert (x + delta).max() <= 1 + 1e-7
    assert torch.equal(delta, start(x, EPS, generator(1)))
    assert not torch.equal(delta, start(x, EPS, generator(2)))


def test_uniform_fills_its_range():
    drawn = uniform((10_000,), generator(), "cpu")
    assert drawn.min() < 0.01
    assert drawn.max() > 0.99
    assert abs(drawn.mean() - 0.5) < 0.02


def test_clipping_is_idempotent_and_the_ball_comes_before_the_box():
    x, delta = torch.rand(2, 3, 8, 8, generator=generator()), torch.randn(2, 3, 8, 8, generator=generator(1))
    once = clip_ball(x, delta, EPS)
    torch.testing.assert_close(clip_ball(x, once, EPS), once, atol=1e-7, rtol=0)
    torch.testing.assert_close(once, clip_box(x, delta.clamp(-EPS, EPS)))


def test_counts_and_modes():
    model = linear().train()
    with evaluating(model):
        assert not model.training
    assert model.training
    assert right(torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([1, 1])) == 1


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_built_by_name_and_says_its_cost(name):
    method = build(name)
    assert method.cost >= 1
    assert method.replays >= 1


def test_settings_reach_the_method():
    assert build("fgsm_rs", {"alpha": 1}).alpha == 1


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("fgsm_xx", {}, "one of plain, fgsm"),
        ("fgsm_rs", {"step": 1.0}, "its own settings"),
        ("fgsm_rs", {"alpha": "2"}, "like its default 1.25"),
        ("pgd_at", {"steps": 10.0}, "like its default 10"),
        ("pgd_at", {"attack_in_eval": 1}, "like its default False"),
    ],
)
def test_bad_choices_are_named(name, settings, said):
    with pytest.raises(ArgumentError, match=said):
        build(name, settings)
