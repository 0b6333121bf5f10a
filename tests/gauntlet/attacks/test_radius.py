"""The search returns a linear model's closed form, and a curve over a grid what the grid of attacks would."""

import math

import pytest
import torch

from gauntlet.attacks.gradient import pgd, right
from gauntlet.attacks.radius import least_radius, radius_between
from gauntlet.attacks.survival import survives
from gauntlet.errors import ArgumentError

ORDERS = {"linf": 1, "l2": 2}
SHEET = {"first": 2 / 255, "doublings": 5, "bisections": 10, "batch": 200}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pgd_by(norm: str, *, steps: int = 20, share: float = 4):
    def attack(model, x, y, *, eps, generator):
        return pgd(model, x, y, eps=eps, alpha=eps / share, steps=steps, norm=norm, generator=generator)

    return attack


def closed_form(model, x, y, norm: str) -> torch.Tensor:
    """Return min over j of (f_y - f_j) / ||w_y - w_j|| in the dual norm, the distance to the nearest wrong class."""
    (weight,) = model.parameters()
    logits = model(x)
    gaps = logits.gather(1, y[:, None]) - logits
    reach = (weight[y][:, None] - weight[None]).norm(p=ORDERS[norm], dim=2)
    return (gaps / reach).masked_fill(reach == 0, torch.inf).amin(1).double()


def exact(norm: str):
    """Return an attack that goes to the nearest class's boundary and a hair beyond, if that is within eps."""

    def attack(model, x, y, *, eps, generator):
        (weight,) = model.parameters()
        logits = model(x)
        gaps = logits.gather(1, y[:, None]) - logits
        away = weight[None] - weight[y][:, None]
        reach = away.norm(p=ORDERS[norm], dim=2)
        nearest = (gaps / reach).masked_fill(reach == 0, torch.inf).argmin(1)
        step = away[torch.arange(len(x)), nearest]
        step = step.sign() if norm == "linf" else step / step.norm(dim=1, keepdim=True)
        return (x + eps[:, None, None, None] * step.view_as(x)).clamp(0, 1)

    return attack


@pytest.mark.parametrize("norm", ORDERS)
@pytest.mark.parametrize("classes", [2, 7])
def test_least_radius_of_a_linear_model_is_its_closed_form(linear, norm, classes):
    model, x, y = linear(classes)
    attack = pgd_by(norm, steps=60) if classes == 2 else exact(norm)
    truth = closed_form(model, x, y, norm)
    first = float(truth.min())
    doublings = math.ceil(math.log2(float(truth.max()) / first)) + 1
    settings = {"first": first, "doublings": doublings, "bisections": 10, "batch": 7}
    found = least_radius(model, x, y, attack=attack, norm=norm, **settings, generator=seeded())
    error = found.radius / truth - 1
    assert error.max() <= 2**-10
    assert error.min() >= -1e-5
    assert truth.max() / first > 3
    assert not right(model, found.x_adv, y).any()


def test_radii_are_those_of_their_images(trained):
    model, x, y = trained
    x, y = x[:120], y[:120]
    y = torch.where(torch.arange(len(y)) % 5 == 0, (y + 1) % 10, y)
    found = least_radius(model, x, y, attack=pgd_by("linf", steps=10), norm="linf", **SHEET, generator=seeded())
    clean = right(model, x, y)
    assert torch.equal(found.radius == 0, ~clean)
    assert torch.equal(found.attacks == 0, ~clean)
    broken = clean & found.radius.isfinite()
    assert broken.sum() > 60
    assert not right(model, found.x_adv[broken], y[broken]).any()
    distances = (found.x_adv - x).flatten(1).abs().amax(1)
    torch.testing.assert_close(distances[broken].double(), found.radius[broken], atol=1e-7, rtol=0)
    assert torch.equal(found.x_adv[~broken], x[~broken])
    assert found.attacks.max() <= 15


def test_order_and_batch_do_not_matter(trained):
    model, x, y = trained
    order = torch.randperm(50, generator=seeded())
    settings = {"attack": pgd_by("linf", steps=8), "norm": "linf"}
    whole = least_radius(model, x[:50], y[:50], **settings, **SHEET, generator=seeded())
    other = SHEET | {"batch": 13}
    permuted = least_radius(model, x[:50][order], y[:50][order], **settings, **other, generator=seeded())
    torch.testing.assert_close(permuted.radius, whole.radius[order], atol=1e-6, rtol=0)
    assert torch.equal(permuted.attacks, whole.attacks[order])


def test_what_never_breaks_is_infinitely_far(trained):
    model, x, y = trained

    def idle(model, x, y, *, eps, generator):
        return x

    found = least_radius(model, x, y, attack=idle, norm="linf", **SHEET, generator=seeded())
    clean = right(model, x, y)
    assert found.radius[clean].isinf().all()
    assert (found.attacks[clean] == 5).all()


@pytest.mark.parametrize("norm", ORDERS)
def test_a_curve_decides_every_budget_of_a_linear_model(linear, norm):
    model, x, y = linear(2)
    truth = closed_form(model, x, y, norm)
    budgets = torch.linspace(0, float(truth.quantile(0.9)), 33, dtype=torch.float64)[1:]
    found = radius_between(
        model,
        x,
        y,
        attack=pgd_by(norm, steps=40),
        norm=norm,
        budgets=budgets.tolist(),
        batch=10,
        generator=seeded(),
    )
    assert torch.equal(found.radius[:, None] > budgets, truth[:, None] > budgets)
    assert found.attacks.max() <= 6
    assert found.radius.isinf().any()


def test_a_curve_agrees_with_the_grid_of_attacks(trained):
    model, x, y = trained.model, trained.x[:200], trained.y[:200]
    budgets = [step / 255 for step in range(2, 34, 4)]
    attack = pgd_by("linf", share=6)
    settings = {"attack": attack, "norm": "linf", "batch": 400}
    found = radius_between(model, x, y, **settings, budgets=budgets, generator=seeded())
    for budget in budgets:
        direct = survives(model, x, y, **settings, eps=budget, generator=seeded(1))
        assert float((found.radius > budget).float().mean()) == pytest.approx(float(direct.float().mean()), abs=0.01)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"first": 0.0}, "first must be above 0, doublings at least 1, bisections at least 0; got 0.0, 5 and 10"),
        ({"first": 2.0}, r"eps must lie in \[0, 1\] for linf"),
        ({"doublings": 0}, "doublings at least 1"),
        ({"bisections": -1}, "bisections at least 0"),
        ({"batch": 0}, "batch must be at least 1"),
    ],
)
def test_bad_settings_are_refused(trained, settings, line):
    model, x, y = trained
    with pytest.raises(ArgumentError, match=line):
        least_radius(model, x, y, attack=pgd_by("linf"), norm="linf", **(SHEET | settings), generator=seeded())


@pytest.mark.parametrize("budgets", [[], [0.0, 0.1], [0.2, 0.1], [0.1, 0.1]])
def test_budgets_must_rise(trained, budgets):
    model, x, y = trained
    with pytest.raises(ArgumentError, match="budgets must rise from above 0; got"):
        radius_between(model, x, y, attack=pgd_by("linf"), norm="linf", budgets=budgets, batch=9, generator=seeded())
