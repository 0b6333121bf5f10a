"""Balls: worked projections, optimality against random points, steepest directions, starts inside."""

import pytest
import torch

from gauntlet.attacks.balls import NORMS, direction, into_box, lengths, per_image, project, random_start
from gauntlet.attacks.noise import Noise
from gauntlet.errors import ArgumentError

GENERATOR = torch.Generator().manual_seed(11)
X = torch.rand(8, 3, 4, 4, generator=GENERATOR)
DELTA = torch.randn(8, 3, 4, 4, generator=GENERATOR)
EPS = {"linf": 0.3, "l2": 1.1, "l1": 2.5}


@pytest.mark.parametrize(
    ("norm", "eps", "delta", "nearest"),
    [
        ("linf", 2.0, [3.0, -1.0], [2.0, -1.0]),
        ("l2", 2.5, [3.0, 4.0], [1.5, 2.0]),
        ("l1", 2.0, [3.0, 1.0], [2.0, 0.0]),
        ("l1", 3.0, [3.0, -2.0], [2.0, -1.0]),
        ("l1", 1.0, [1.0, -1.0], [0.5, -0.5]),
        ("l1", 9.0, [3.0, -1.0], [3.0, -1.0]),
        ("l1", 0.0, [3.0, -1.0], [0.0, 0.0]),
    ],
)
def test_projection_by_hand(norm, eps, delta, nearest):
    torch.testing.assert_close(project(torch.tensor([delta]), eps, norm), torch.tensor([nearest]))


def test_l1_with_the_box_by_hand():
    # Room 0.1 to the first pixel's wall; what it cannot take, the second one may: 0.1 + 0.9 = 1.
    x, delta = torch.tensor([[0.9, 0.0, 0.5]]), torch.tensor([[3.0, 2.0, -0.1]])
    torch.testing.assert_close(into_box(x, delta, eps=1.0, norm="l1"), torch.tensor([[1.0, 0.9, 0.5]]))


@pytest.mark.parametrize("norm", NORMS)
def test_projection_is_idempotent_and_inside(norm):
    eps = torch.linspace(0, 2, 8)
    once = project(DELTA, eps, norm)
    assert (lengths(once, norm) <= eps + 1e-6).all()
    torch.testing.assert_close(project(once, eps, norm), once)
    assert torch.equal(project(0.001 * DELTA, 9.0, norm), 0.001 * DELTA)


@pytest.mark.parametrize("norm", NORMS)
def test_no_random_point_of_the_ball_is_nearer(norm):
    best = (project(DELTA, EPS[norm], norm) - DELTA).flatten(1).norm(dim=1)
    for scale in (0.01, 0.1, 1.0):
        near = project(DELTA, EPS[norm], norm) + scale * torch.randn(500, 8, 3, 4, 4, generator=GENERATOR)
        other = project(near.flatten(0, 1), EPS[norm], norm).view_as(near)
        assert ((other - DELTA).flatten(2).norm(dim=2) >= best - 1e-5).all()


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_no_random_point_of_ball_and_box_is_nearer(norm):
    nearest = into_box(X, DELTA, eps=EPS[norm], norm=norm)
    best = (nearest - X - DELTA).flatten(1).norm(dim=1)
    near = (nearest + 0.05 * torch.randn(500, 8, 3, 4, 4, generator=GENERATOR)).clamp(0, 1)
    share = (EPS[norm] / lengths((near - X).flatten(0, 1), norm)).clamp_max(1).view(500, 8, 1, 1, 1)
    inside = X + share * (near - X)
    assert ((inside - X - DELTA).flatten(2).norm(dim=2) >= best - 1e-5).all()


@pytest.mark.parametrize("norm", NORMS)
def test_into_box_is_inside_both_and_eps_zero_is_identity(norm):
    eps = torch.linspace(0, 3, 8) if norm != "linf" else torch.linspace(0, 1, 8)
    there = into_box(X, 5 * DELTA, eps=eps, norm=norm)
    assert there.min() >= 0
    assert there.max() <= 1
    assert (lengths(there - X, norm) <= eps + 5e-6).all()
    assert torch.equal(there[0], X[0])


@pytest.mark.parametrize(("norm", "share"), [("linf", 0.01), ("l2", 0.01), ("l1", 1e-9)])
def test_direction_is_steepest(norm, share):
    step = direction(DELTA, norm, share=share)
    dual = {"linf": "l1", "l2": "l2", "l1": "linf"}[norm]
    torch.testing.assert_close(lengths(step, norm), torch.ones(8))
    torch.testing.assert_close((step * DELTA).flatten(1).sum(1), lengths(DELTA, dual))
    assert not direction(torch.zeros_like(DELTA), norm).any()


def test_l1_direction_moves_its_share():
    step = direction(DELTA, "l1", share=0.25)
    assert ((step != 0).flatten(1).sum(1) == 12).all()
    moved, least = DELTA.abs()[step != 0].view(8, 12), DELTA.abs().flatten(1).median(1).values
    assert (moved > least[:, None]).all()


@pytest.mark.parametrize("norm", NORMS)
def test_random_starts_fill_ball_and_box(norm):
    eps = torch.linspace(0, 0.5, 8)
    x = torch.rand(8, 3, 4, 4, generator=GENERATOR) * 0.02 + torch.tensor([0.0, 0.98]).repeat(4)[:, None, None, None]
    start = random_start(Noise.of(x, torch.Generator()), x, eps=eps, norm=norm)
    assert start.min() >= 0
    assert start.max() <= 1
    assert (lengths(start - x, norm) <= eps + 1e-6).all()
    assert torch.equal(start[0], x[0])
    assert (lengths(start - x, norm)[1:] > 0).all()


def test_numbers_broadcast_over_images():
    assert per_image(0.5, X).shape == (1, 1, 1, 1)
    assert per_image(torch.arange(8), X).shape == (8, 1, 1, 1)
    assert per_image(torch.arange(8), X).dtype == X.dtype


@pytest.mark.parametrize("call", [lambda: lengths(X, "L2"), lambda: project(X, 1.0, "l3"), lambda: direction(X, "inf")])
def test_unknown_norms_are_refused(call):
    with pytest.raises(ArgumentError, match="norm must be one of linf, l2, l1; got"):
        call()
