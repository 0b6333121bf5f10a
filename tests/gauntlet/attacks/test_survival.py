"""Survival: only what the model confirms counts, and nothing about the batch matters."""

from functools import partial

import pytest
import torch

from gauntlet.attacks.gradient import fgsm, pgd, right
from gauntlet.attacks.survival import survives, worst_case
from gauntlet.errors import ArgumentError

PGD = partial(pgd, alpha=0.01, steps=5)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_survivors_of_a_linear_model_are_those_beyond_eps(linear, norm):
    model, x, y = linear(2)
    (weight,) = model.parameters()
    radius = model(x).diff(dim=1)[:, 0].abs() / (weight[0] - weight[1]).norm(p={"linf": 1, "l2": 2}[norm])
    eps = float(radius.median()) * 1.0001
    attack = partial(fgsm, norm=norm)
    standing = survives(model, x, y, attack=attack, eps=eps, norm=norm, batch=10, generator=seeded())
    assert torch.equal(standing, radius > eps)
    assert 0 < standing.sum() < len(x)


def test_wrong_images_are_never_attacked(trained):
    model, x, y = trained
    y = torch.where(torch.arange(len(y)) % 2 == 0, (y + 1) % 10, y)
    seen = []

    def attack(model, x, y, *, eps, generator):
        seen.append(len(x))
        return x

    standing = survives(model, x, y, attack=attack, eps=0.1, norm="linf", batch=64, generator=seeded())
    clean = right(model, x, y)
    assert torch.equal(standing, clean)
    assert sum(seen) == clean.sum()
    assert set(seen[:-1]) == {64}


def test_batch_and_order_do_not_matter(trained):
    model, x, y = trained
    order = torch.randperm(len(x), generator=seeded())

    def standing(x, y, batch):
        return survives(model, x, y, attack=PGD, eps=0.03, norm="linf", batch=batch, generator=seeded())

    whole = standing(x, y, 400)
    assert torch.equal(whole, standing(x, y, 33))
    assert torch.equal(whole[order], standing(x[order], y[order], 150))


def test_the_worst_case_is_what_survives_all(trained):
    model, x, y = trained
    attacks = {"fgsm": fgsm, "pgd": PGD, "weak": partial(pgd, alpha=0.001, steps=1)}
    settings = {"eps": 0.03, "norm": "linf", "batch": 128}
    worst = worst_case(model, x, y, attacks=attacks, **settings, generator=seeded())
    alone = survives(model, x, y, attack=fgsm, **settings, generator=seeded())
    assert worst.names == ("fgsm", "pgd", "weak")
    assert torch.equal(worst.broken_by == 0, worst.clean & ~alone)
    assert (worst.broken_by == 1).any()
    assert torch.equal(worst.robust, worst.clean & (worst.broken_by == -1))
    assert torch.equal(worst.robust, right(model, worst.x_adv, y) & worst.clean)
    assert torch.equal(worst.x_adv[worst.broken_by == -1], x[worst.broken_by == -1])
    assert (worst.x_adv - x).abs().max() <= 0.03 + 1e-6


@pytest.mark.parametrize(
    "bad",
    [
        lambda model, x, y, *, eps, generator: (x + 0.04).clamp(0, 1),
        lambda model, x, y, *, eps, generator: x - 0.01 - x.amin(),
        lambda model, x, y, *, eps, generator: x * torch.nan,
    ],
    ids=["ball", "box", "nan"],
)
def test_an_attack_that_cheats_is_refused(trained, bad):
    model, x, y = trained
    with pytest.raises(ArgumentError, match=r"an attack must stay in \[0, 1\] and within eps \(linf"):
        survives(model, x, y, attack=bad, eps=0.03, norm="linf", batch=400, generator=seeded())


def test_nothing_to_attack(trained):
    model, x, y = trained
    wrong = (model(x).argmax(1) + 1) % 10
    assert not survives(model, x, wrong, attack=PGD, eps=0.1, norm="linf", batch=50, generator=seeded()).any()
    assert not len(survives(model, x[:0], y[:0], attack=PGD, eps=0.1, norm="linf", batch=50, generator=seeded()))
    with pytest.raises(ArgumentError, match="batch must be at least 1; got 0"):
        survives(model, x, y, attack=PGD, eps=0.1, norm="linf", batch=0, generator=seeded())
