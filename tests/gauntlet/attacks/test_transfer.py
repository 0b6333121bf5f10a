"""Transfer attacks: step for step the images of torchattacks where no chance is in them, the same top-1 elsewhere."""

import pytest
import torch
import torchattacks
from torch.nn import functional

from gauntlet.attacks.gradient import bim, right
from gauntlet.attacks.noise import Noise
from gauntlet.attacks.transfer import dim, mim, si_ni_fgsm, tim, vmi_fgsm
from gauntlet.attacks.views import blurred, shrinking
from gauntlet.errors import ArgumentError

EPS = 0.04
SAME = {"eps": EPS, "alpha": EPS / 18, "steps": 8, "decay": 1.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (mim, lambda m: torchattacks.MIFGSM(m, **SAME)),
        (tim, lambda m: torchattacks.TIFGSM(m, **SAME, diversity_prob=0.0)),
        (si_ni_fgsm, lambda m: torchattacks.SINIFGSM(m, **SAME)),
    ],
)
def test_images_equal_torchattacks(trained, ours, theirs):
    model, x, y = trained
    x, y = x[:100], y[:100]
    x_adv = ours(model, x, y, eps=EPS, steps=8)
    differ = (x_adv - theirs(model)(x, y)).abs() > 1e-6
    # Where a gradient is all but zero its sign is a matter of rounding.
    assert differ.float().mean() < 1e-3
    assert (x_adv != x).float().mean() > 0.9


def test_images_through_the_same_views_equal_torchattacks(trained, monkeypatch):
    model, x, y = trained
    x, y = x[:100], y[:100]
    noise = Noise.of(x, seeded())

    def views(_, x_adv):
        rows, columns = shrinking(noise, x, smallest=0.7, chance=0.7)
        return rows @ x_adv @ columns.mT

    monkeypatch.setattr(torchattacks.DIFGSM, "input_diversity", views)
    theirs = torchattacks.DIFGSM(model, **SAME)(x, y)
    x_adv = dim(model, x, y, eps=EPS, steps=8, smallest=0.7, generator=seeded())
    assert ((x_adv - theirs).abs() > 1e-6).float().mean() < 1e-3


def test_views_are_drawn_as_torchattacks_draws_them(trained):
    theirs = torchattacks.DIFGSM(trained.model, resize_rate=0.7, diversity_prob=0.7)
    x = torch.rand(4000, 1, 10, 1, generator=seeded())
    rows, _ = shrinking(Noise.of(x, seeded()), x, smallest=0.7, chance=0.7)
    torch.manual_seed(0)
    expected = torch.stack([theirs.input_diversity(torch.ones(1, 1, 10, 10))[0, 0].amax(1) > 0 for _ in range(4000)])
    for inside in ((rows[:, 0].sum(2) > 0), expected):
        sizes = torch.bincount(inside.sum(1), minlength=11)[7:] / 4000
        torch.testing.assert_close(sizes, torch.tensor([0.7 / 3, 0.7 / 3, 0.7 / 3, 0.3]), atol=0.025, rtol=0)
        begins = torch.bincount(inside[inside.sum(1) == 7].int().argmax(1), minlength=3) / (inside.sum(1) == 7).sum()
        torch.testing.assert_close(begins, torch.full((3,), 1 / 3), atol=0.06, rtol=0)


def test_robust_top1_of_vmi_fgsm_equals_torchattacks(trained):
    model, x, y = trained
    torch.manual_seed(0)
    theirs = torchattacks.VMIFGSM(model, **SAME, N=10, beta=1.5)(x, y)
    expected = float(right(model, theirs, y).float().mean())
    assert 0.1 < expected < 0.9
    x_adv = vmi_fgsm(model, x, y, eps=EPS, steps=8, generator=seeded())
    assert float(right(model, x_adv, y).float().mean()) == pytest.approx(expected, abs=0.003)


def test_without_memory_momentum_is_bim(trained):
    model, x, y = trained
    still = mim(model, x, y, eps=EPS, alpha=0.01, steps=3, decay=0.0)
    robust = right(model, still, y)
    torch.testing.assert_close(still[robust], bim(model, x, y, eps=EPS, alpha=0.01, steps=3)[robust])


def test_views_that_change_nothing_are_mim(trained):
    model, x, y = trained
    x, y = x[:50], y[:50]
    plain = mim(model, x, y, eps=EPS, steps=4)
    for same in (
        dim(model, x, y, eps=EPS, steps=4, chance=0.0, generator=seeded()),
        tim(model, x, y, eps=EPS, steps=4, kernel_px=1),
        vmi_fgsm(model, x, y, eps=EPS, steps=4, beta=0.0, samples=1, generator=seeded()),
    ):
        assert ((same - plain).abs() > 1e-6).float().mean() < 1e-3


def test_shrinking_equals_interpolation_and_a_border():
    x = torch.rand(12, 3, 15, 20, generator=seeded())
    rows, columns = shrinking(Noise.of(x, seeded()), x, smallest=0.5, chance=0.8)
    views, sizes = rows @ x @ columns.mT, set()
    for image, view, row, column in zip(x, views, rows[:, 0].sum(2), columns[:, 0].sum(2), strict=True):
        (down, high), (left, wide) = ((int(part.argmax()), int(part.round().sum())) for part in (row, column))
        small = functional.interpolate(image[None], size=(high, wide), mode="bilinear", align_corners=False)
        border = (left, 20 - wide - left, down, 15 - high - down)
        torch.testing.assert_close(view, functional.pad(small, border)[0], atol=1e-5, rtol=0)
        sizes.add(high)
    assert min(sizes) >= 7
    assert len(sizes) > 3
    assert 15 in sizes


def test_blur_of_a_point_is_the_kernel():
    point = torch.zeros(1, 1, 9, 9)
    point[0, 0, 4, 4] = 1
    kernel = blurred(point, kernel_px=5, deviations=2.0)[0, 0]
    line = torch.exp(-(torch.arange(-2.0, 3.0) ** 2) / 2)
    torch.testing.assert_close(kernel[2:7, 2:7], torch.outer(line, line) / line.sum() ** 2)
    assert kernel.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("attack", "settings", "line"),
    [
        (mim, {"steps": 0}, "steps must be at least 1"),
        (mim, {"decay": 1.5}, r"decay in \[0, 1\]"),
        (dim, {"smallest": 0.0}, r"smallest must lie in \(0, 1\]"),
        (dim, {"chance": 2.0}, r"chance in \[0, 1\]"),
        (tim, {"kernel_px": 4}, "kernel_px must be odd"),
        (si_ni_fgsm, {"copies": 0}, "copies must be at least 1"),
        (vmi_fgsm, {"samples": 0}, "samples must be at least 1"),
    ],
)
def test_bad_settings_are_refused(trained, attack, settings, line):
    model, x, y = trained
    with pytest.raises(ArgumentError, match=line):
        attack(model, x, y, eps=EPS, **settings, generator=seeded())
