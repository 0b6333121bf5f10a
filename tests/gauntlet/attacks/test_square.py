"""Square: the reference's patches and sizes, and queries ahead that change nothing but the number of passes."""

import sys

import pytest
import torch
from pyautoattack.square import SquareAttack

from gauntlet.attacks.balls import lengths
from gauntlet.attacks.gradient import right
from gauntlet.attacks.noise import Noise
from gauntlet.attacks.patches import PATCHES, window
from gauntlet.attacks.square import _Best, sides, square
from gauntlet.errors import ArgumentError

EPS = {"linf": 0.03, "l2": 0.5, "l1": 3.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def passes(trained):
    sizes: list[int] = []
    hook = trained.model.register_forward_hook(lambda _, __, logits: sizes.append(len(logits)))
    yield sizes
    hook.remove()


def reference(norm: str) -> SquareAttack:
    attack = SquareAttack(None, norm=norm, eps=1.0, resc_schedule=False)
    attack.device = "cpu"
    return attack


def test_sizes_are_the_references():
    attack = reference("Linf")
    ours = sides(9000, share=0.8, size=32, pixels=32 * 32)
    theirs = [max(round((attack.p_selection(step) * 32 * 32) ** 0.5), 1) for step in range(9000)]
    assert ours == theirs


@pytest.mark.parametrize(("norm", "name"), [("l2", "L2"), ("l1", "L1")])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 12])
def test_peaks_are_the_references(norm, name, size):
    patches = PATCHES[norm](torch.zeros(1, 1, 30, 30), [size | 1])
    level = int(patches.level[1])
    side = int(patches.side[1])
    ours = patches.peaks[level, 0, :side, :side]
    theirs = reference(name).eta(side)
    assert torch.allclose(ours, theirs, atol=1e-6) or torch.allclose(ours.T, theirs, atol=1e-6)


def test_window():
    corner = torch.tensor([[[0.0, 0.999]]])
    inside = window(corner, torch.tensor([[2]]), (4, 5))[0, 0]
    assert inside.nonzero().tolist() == [[0, 3], [0, 4], [1, 3], [1, 4]]


def proposals(norm: str, *, steps: int = 200):
    x = torch.rand(6, 3, 16, 16, generator=seeded(1))
    eps = torch.full((6,), EPS[norm])
    patches = PATCHES[norm](x, sides(steps, share=0.8, size=16, pixels=256))
    image = torch.arange(6)
    patches.draw(image, Noise.of(x, seeded()))
    rows = _Best(image, image, image, x, image, eps, x, eps)
    rows.point = patches.propose(rows, torch.zeros(6, 1, dtype=torch.int64))[:, 0]
    asked = torch.randint(1, steps + 1, (6, 9), generator=seeded(2))
    return x, eps, rows, asked, patches.propose(rows, asked)


@pytest.mark.parametrize("norm", EPS)
def test_proposals_stay_in_ball_and_box_and_use_the_radius(norm):
    x, eps, rows, _, points = proposals(norm)
    for one in (rows.point, *points.unbind(1)):
        assert one.min() >= 0
        assert one.max() <= 1
        assert (lengths(one - x, norm) <= eps * (1 + 1e-5)).all()
        assert (lengths(one - x, norm) > 0.8 * eps).all()


def test_flat_patches_are_squares_of_one_colour():
    x, eps, rows, asked, points = proposals("linf")
    size = torch.tensor([0, *sides(200, share=0.8, size=16, pixels=256)])[asked]
    changed = (points != rows.point[:, None]).any(2)
    assert changed.any()
    for row, ahead in changed.flatten(2).any(2).nonzero().tolist():
        down, across = changed[row, ahead].nonzero().unbind(1)
        side = int(size[row, ahead])
        assert int(down.max() - down.min()) < side
        assert int(across.max() - across.min()) < side
    vertex = torch.minimum(
        (points - (x + eps[0])[:, None].clamp(max=1)).abs(), (points - (x - eps[0])[:, None].clamp(min=0)).abs()
    )
    assert vertex.max() < 1e-6


@pytest.mark.parametrize("norm", EPS)
def test_queries_ahead_change_nothing_but_the_passes(trained, passes, monkeypatch, norm):
    model, x, y = trained.model, trained.x[:6], trained.y[:6]
    eps = 0.6 * EPS[norm]
    many = square(model, x, y, eps=eps, steps=300, norm=norm, generator=seeded())
    ahead = len(passes)
    monkeypatch.setattr(sys.modules["gauntlet.attacks.square"], "_WASTE", 0.0)
    passes.clear()
    one_by_one = square(model, x, y, eps=eps, steps=300, norm=norm, generator=seeded())
    torch.testing.assert_close(many, one_by_one)
    assert ahead < 0.6 * len(passes)


@pytest.mark.parametrize(("norm", "name"), [("linf", "Linf"), ("l2", "L2")])
def test_as_strong_as_the_reference(trained, norm, name):
    model, x, y = trained
    ours = right(model, square(model, x, y, eps=EPS[norm], steps=200, norm=norm, generator=seeded()), y)
    attack = SquareAttack(model, norm=name, eps=EPS[norm], n_queries=200, resc_schedule=False, device="cpu", seed=0)
    theirs = right(model, attack.perturb(x, y), y)
    assert abs(int(ours.sum()) - int(theirs.sum())) <= 0.05 * len(x)


def test_asks_nothing_after_success(trained, passes):
    model, x, y = trained.model, trained.x[:30], trained.y[:30]
    x_adv = square(model, x, y, eps=0.3, steps=5000, generator=seeded())
    assert not right(model, x_adv, y).any()
    assert sum(passes) < 40 * len(x)


@pytest.mark.parametrize("settings", [{"steps": 0}, {"share": 0.0}, {"share": 1.1}])
def test_settings_out_of_range(trained, settings):
    with pytest.raises(ArgumentError, match="steps must be at least 1 and share lie in"):
        square(trained.model, trained.x[:2], trained.y[:2], eps=0.1, **settings, generator=seeded())
