"""The shortest way onto a hyperplane inside the box: closed forms, a linear programme, the reference."""

import pytest
import torch
from pyautoattack import fab_projections
from scipy.optimize import linprog

from gauntlet.attacks.balls import NORMS, lengths
from gauntlet.attacks.hyperplanes import onto_hyperplane
from gauntlet.errors import ArgumentError


def planes(count: int = 40, size: int = 50) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return points of which some pixels lie on the box, slopes, and rises that are within reach."""
    generator = torch.Generator().manual_seed(0)
    points = (1.4 * torch.rand(count, size, generator=generator) - 0.2).clamp(0, 1)
    slope = torch.randn(count, size, generator=generator)
    room = torch.where(slope > 0, 1 - points, points)
    most = (slope.abs() * room).sum(1)
    share = 0.6 * torch.rand(count, generator=generator) + 0.05
    down = torch.arange(count) % 2 == 0
    least = -(slope.abs() * torch.where(slope > 0, points, 1 - points)).sum(1)
    return points, slope, share * torch.where(down, least, most)


@pytest.mark.parametrize("norm", NORMS)
def test_far_from_the_box_the_length_is_the_dual_norms(norm):
    points = torch.full((1, 9), 0.5)
    slope = torch.linspace(-1, 2, 9)[None]
    delta = onto_hyperplane(points, slope, torch.tensor([0.1]), norm=norm)
    dual = {"linf": slope.abs().sum(), "l2": slope.norm(), "l1": slope.abs().max()}[norm]
    torch.testing.assert_close(lengths(delta, norm)[0], 0.1 / dual)


@pytest.mark.parametrize("norm", NORMS)
def test_reaches_the_plane_inside_the_box(norm):
    points, slope, rise = planes()
    delta = onto_hyperplane(points, slope, rise, norm=norm)
    torch.testing.assert_close((slope * delta).sum(1), rise, rtol=2e-3, atol=1e-5)
    assert (points + delta).min() >= -1e-6
    assert (points + delta).max() <= 1 + 1e-6


@pytest.mark.parametrize("norm", NORMS)
def test_as_long_as_the_reference(norm):
    points, slope, rise = planes()
    theirs = getattr(fab_projections, f"projection_{norm}")(points, slope, (slope * points).sum(1) + rise)
    ours = onto_hyperplane(points, slope, rise, norm=norm)
    torch.testing.assert_close(lengths(ours, norm), lengths(theirs, norm), rtol=2e-3, atol=1e-5)


def test_linf_is_the_optimum_of_its_linear_programme():
    points, slope, rise = (part[:6].double() for part in planes())
    ours = lengths(onto_hyperplane(points, slope, rise, norm="linf"), "linf")
    size = points.shape[1]
    one = torch.ones(size, 1, dtype=torch.float64)
    bound = torch.cat([torch.cat([torch.eye(size), -one], 1), torch.cat([-torch.eye(size), -one], 1)])
    for point, direction, goal, length in zip(points, slope, rise, ours, strict=True):
        best = linprog(
            [0.0] * size + [1.0],
            A_ub=bound.numpy(),
            b_ub=[0.0] * (2 * size),
            A_eq=[[*direction.tolist(), 0.0]],
            b_eq=[float(goal)],
            bounds=[(-float(pixel), 1 - float(pixel)) for pixel in point] + [(0, 1)],
        )
        assert float(length) == pytest.approx(best.fun, rel=1e-4)


@pytest.mark.parametrize("norm", NORMS)
def test_a_plane_out_of_reach_takes_every_pixel_to_the_box(norm):
    points, slope, _ = planes(count=4)
    delta = onto_hyperplane(points, slope, torch.full((4,), 1e4), norm=norm)
    torch.testing.assert_close(points + delta, (slope > 0).float(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_no_slope_no_way(norm):
    delta = onto_hyperplane(torch.full((2, 5), 0.5), torch.zeros(2, 5), torch.ones(2), norm=norm)
    assert torch.equal(delta, torch.zeros(2, 5))


def test_unknown_norm():
    with pytest.raises(ArgumentError, match="norm must be one of linf, l2, l1; got 'l3'"):
        onto_hyperplane(torch.zeros(1, 1), torch.ones(1, 1), torch.ones(1), norm="l3")
