"""AutoAttack: the reference package's robust top-1, verified images, names of what broke them, no wasted row."""

import copy

import pytest
import torch
from pyautoattack import AutoAttack

from gauntlet.attacks.autoattack import PARTS, autoattack, standard
from gauntlet.attacks.balls import NORMS, lengths
from gauntlet.attacks.gradient import right
from gauntlet.attacks.standing import ROWS

EPS = {"linf": 0.03, "l2": 0.4, "l1": 3.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "name", "eps"), [("linf", "Linf", 0.03), ("l2", "L2", 0.5), ("l1", "L1", 3.0)])
def test_robust_top1_within_a_fifth_of_a_point_of_the_reference(trained, norm, name, eps):
    """Of 200 images not one may differ: the next number is half a point away."""
    model, x, y = trained.model, trained.x[:200], trained.y[:200]
    ours = standard(model, x, y, eps=eps, norm=norm, generator=seeded())
    # A copy, since their FAB leaves gradients on the weights.
    reference = AutoAttack(copy.deepcopy(model), eps=eps, norm=name, seed=0)
    theirs, _ = reference.run_standard_evaluation(x, y, batch_size=200)
    robust = right(model, theirs, y)
    assert 0.02 < robust.float().mean() < 0.9 * right(model, x, y).float().mean()
    assert abs(float(ours.robust.float().mean() - robust.float().mean())) <= 0.002


@pytest.mark.parametrize("norm", NORMS)
def test_what_is_called_broken_is_wrong_and_what_is_called_robust_is_right(trained, norm):
    model, x, y = trained.model, trained.x[:60], trained.y[:60]
    broken = standard(model, x, y, eps=EPS[norm], steps=10, queries=100, norm=norm, generator=seeded())
    assert torch.equal(right(model, broken.x_adv, y), broken.robust)
    assert torch.equal(broken.by == 0, ~right(model, x, y))
    changed = (broken.x_adv != x).flatten(1).any(1)
    assert torch.equal(changed, broken.by > 0)
    assert (lengths(broken.x_adv - x, norm) <= EPS[norm] + 1e-5).all()
    assert {name is None for name in broken.names()} == {True, False}
    assert torch.equal(
        autoattack(model, x, y, eps=EPS[norm], steps=10, queries=100, norm=norm, generator=seeded()), broken.x_adv
    )


def test_names(trained):
    model, x, y = trained.model, trained.x[:60], trained.y[:60].clone()
    y[0] = (model(x[:1]).argmax() + 1) % 10
    broken = standard(model, x, y, eps=0.03, steps=5, queries=50, generator=seeded())
    assert broken.names()[0] == "clean"
    assert "apgd_ce" in broken.names()
    assert set(broken.names()) <= {"clean", *PARTS, None}


@pytest.mark.parametrize("batch", [1, 7, 300])
def test_the_batch_changes_nothing(trained, batch):
    model, x, y = trained.model, trained.x[:12], trained.y[:12]
    usual, other = (
        standard(model, x, y, eps=0.025, steps=5, queries=40, batch=rows, generator=seeded()) for rows in (None, batch)
    )
    assert usual.names() == other.names()
    same = (usual.x_adv - other.x_adv).flatten(1).abs().amax(1) < 1e-4
    assert same.float().mean() >= 0.9


def test_broken_images_leave_at_once(trained):
    model, x, y = trained
    rows: list[int] = []
    hook = model.register_forward_hook(lambda _, __, logits: rows.append(len(logits)))
    broken = standard(model, x, y, eps=0.5, generator=seeded())
    hook.remove()
    assert not broken.robust.any()
    assert max(rows) <= ROWS["cpu"][1]
    assert sum(rows) < 6 * len(x)


def test_a_radius_for_each_image_breaks_those_with_a_large_one(trained):
    model, x, y = trained.model, trained.x[:40], trained.y[:40]
    eps = torch.where(torch.arange(40) < 20, 0.0, 0.5)
    broken = standard(model, x, y, eps=eps, steps=10, queries=20, generator=seeded())
    assert torch.equal(broken.robust[:20], right(model, x, y)[:20])
    assert not broken.robust[20:].any()
