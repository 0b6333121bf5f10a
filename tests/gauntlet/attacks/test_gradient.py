"""FGSM, BIM, PGD: closed form on linear models, torchattacks as oracle, no wasted pass."""

import pytest
import torch
import torchattacks

from gauntlet.attacks.balls import NORMS, direction, lengths
from gauntlet.attacks.gradient import bim, fgsm, gradient, pgd, right
from gauntlet.attacks.losses import cross_entropy, margin
from gauntlet.errors import ArgumentError

EPS = {"linf": 0.05, "l2": 0.5, "l1": 2.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Counter:
    """Count the images that pass through a model forwards and those whose gradient comes back."""

    def __init__(self, model: torch.nn.Module):
        self.forward = self.backward = 0
        self.hook = model.register_forward_hook(self._seen)

    def _seen(self, _, __, logits: torch.Tensor) -> None:
        self.forward += len(logits)
        if logits.requires_grad:
            logits.register_hook(self._back)

    def _back(self, slope: torch.Tensor) -> None:
        self.backward += len(slope)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.hook.remove()


def test_gradient_is_each_images_own(trained):
    model, x, y = trained
    together = gradient(model, x[:5], y[:5], loss=cross_entropy)
    alone = gradient(model, x[2:3], y[2:3], loss=cross_entropy)
    torch.testing.assert_close(together.gradient[2:3], alone.gradient)
    torch.testing.assert_close(together.losses, cross_entropy(model(x[:5]).detach(), y[:5]))
    assert not together.logits.requires_grad
    assert all(weight.grad is None for weight in model.parameters())


def test_gradient_of_a_linear_model(linear):
    model, x, y = linear(2)
    (weight,) = model.parameters()
    slope = gradient(model, x, y, loss=margin).gradient.flatten(1)
    torch.testing.assert_close(slope, (weight[1 - y] - weight[y]))


@pytest.mark.parametrize("norm", NORMS)
def test_one_step_on_a_linear_model(linear, norm):
    model, x, y = linear(2)
    (weight,) = model.parameters()
    step = direction((weight[1 - y] - weight[y]).view_as(x), norm)
    eps = {"linf": 0.02, "l2": 0.1, "l1": 0.2}[norm]
    torch.testing.assert_close(fgsm(model, x, y, eps=eps, norm=norm), x + eps * step, atol=1e-6, rtol=0)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_breaks_a_linear_model_exactly_beyond_its_radius(linear, norm):
    model, x, y = linear(2)
    (weight,) = model.parameters()
    gap = model(x).diff(dim=1)[:, 0].abs()
    radius = gap / (weight[0] - weight[1]).norm(p={"linf": 1, "l2": 2}[norm])
    for factor, survivors in ((0.999, len(x)), (1.001, 0)):
        eps = factor * radius
        x_adv = pgd(model, x, y, eps=eps, alpha=eps / 4, steps=60, norm=norm, generator=seeded())
        assert right(model, x_adv, y).sum() == survivors


def robust_top1(model, x_adv, y) -> float:
    return float(right(model, x_adv, y).float().mean())


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda *a: fgsm(*a, eps=0.04), lambda m: torchattacks.FGSM(m, eps=0.04)),
        (
            lambda *a: bim(*a, eps=0.04, alpha=0.01, steps=10),
            lambda m: torchattacks.BIM(m, eps=0.04, alpha=0.01, steps=10),
        ),
    ],
    ids=["fgsm", "bim"],
)
def test_robust_top1_equals_torchattacks(trained, ours, theirs):
    model, x, y = trained
    expected = robust_top1(model, theirs(model)(x, y), y)
    assert 0.1 < expected < 0.9
    assert robust_top1(model, ours(model, x, y), y) == pytest.approx(expected, abs=0.003)


@pytest.mark.parametrize(
    ("norm", "theirs", "eps"), [("linf", torchattacks.PGD, 0.04), ("l2", torchattacks.PGDL2, 0.5)], ids=["linf", "l2"]
)
def test_robust_top1_from_random_starts_equals_torchattacks(trained, norm, theirs, eps):
    model, x, y = trained
    settings = {"eps": eps, "alpha": eps / 10, "steps": 40}
    ours, expected = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        expected.append(robust_top1(model, theirs(model, **settings)(x, y), y))
        ours.append(robust_top1(model, pgd(model, x, y, **settings, norm=norm, generator=seeded(seed)), y))
    assert 0.1 < sum(expected) / 3 < 0.9
    assert sum(ours) / 3 == pytest.approx(sum(expected) / 3, abs=0.003)


def test_without_early_stop_every_step_equals_torchattacks(trained):
    model, x, y = trained
    theirs = torchattacks.PGD(model, eps=0.04, alpha=0.01, steps=10, random_start=False)(x, y)
    ours = pgd(model, x, y, eps=0.04, alpha=0.01, steps=10, random_start=False, stop_early=False)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_wrong_images_come_back_and_weights_stay(trained):
    model, x, y = trained
    y = torch.where(torch.arange(len(y)) % 3 == 0, (y + 1) % 10, y)
    wrong = ~right(model, x, y)
    before = [weight.clone() for weight in model.parameters()]
    for x_adv in (
        fgsm(model, x, y, eps=0.1),
        bim(model, x, y, eps=0.1, alpha=0.05, steps=3),
        pgd(model, x, y, eps=0.1, alpha=0.05, steps=3, generator=seeded()),
    ):
        assert torch.equal(x_adv[wrong], x[wrong])
        assert (lengths(x_adv - x, "linf")[~wrong] > 0).all()
        assert not x_adv.requires_grad
    assert not model.training
    assert all(map(torch.equal, before, model.parameters()))
    assert all(weight.grad is None for weight in model.parameters())


def test_finished_images_leave_and_no_pass_is_wasted(trained):
    model, x, y = trained
    steps = 20
    with Counter(model) as count:
        x_adv = pgd(model, x, y, eps=0.06, alpha=0.01, steps=steps, generator=seeded())
    robust = int(right(model, x_adv, y).sum())
    assert count.forward == count.backward + len(x)
    assert robust * steps <= count.backward < 0.6 * len(x) * steps
    with Counter(model) as count:
        bim(model, x, y, eps=0.06, alpha=0.01, steps=1)
    assert (count.forward, count.backward) == (len(x), len(x))


def test_an_image_that_no_step_moves_leaves(linear):
    model, x, y = linear(2)
    with Counter(model) as count:
        bim(model, x, y, eps=1e-4, alpha=5e-5, steps=50)
    # Two steps to the corner, a third to see that it stays.
    assert count.backward == 3 * len(x)


def test_restarts_go_on_with_what_stands(trained):
    model, x, y = trained
    once, often = (
        right(model, pgd(model, x, y, eps=0.03, alpha=0.03, steps=1, restarts=n, generator=seeded()), y) for n in (1, 8)
    )
    assert not (often & ~once).any()
    assert often.sum() < once.sum()


@pytest.mark.parametrize("norm", NORMS)
def test_one_radius_for_each_image(trained, norm):
    model, x, y = trained
    eps = torch.linspace(0, 2 * EPS[norm], 40)
    settings = {"steps": 5, "norm": norm}
    x_adv = pgd(model, x[:40], y[:40], eps=eps, alpha=eps / 2, **settings, generator=seeded())
    alone = pgd(model, x[30:31], y[30:31], eps=eps[30:31], alpha=eps[30:31] / 2, **settings, generator=seeded())
    torch.testing.assert_close(x_adv[30:31], alone, atol=2e-6, rtol=0)
    assert torch.equal(x_adv[0], x[0])
    assert (lengths(x_adv - x[:40], norm) <= eps + 1e-5).all()


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"steps": 0}, "steps and restarts must be at least 1; got 0 and 1"),
        ({"restarts": 0}, "steps and restarts must be at least 1; got 5 and 0"),
        ({"alpha": -0.1}, "alpha must be a number of at least 0"),
        ({"alpha": float("nan")}, "alpha must be a number of at least 0"),
        ({"loss": "ce"}, "loss must be one of cross_entropy, margin, dlr; got 'ce'"),
        ({"restarts": 2, "random_start": False}, "restarts above 1 need random_start"),
        ({"generator": None}, "generator must be given with random_start"),
    ],
)
def test_bad_settings_are_refused(trained, settings, line):
    model, x, y = trained
    with pytest.raises(ArgumentError, match=line):
        pgd(model, x, y, **({"eps": 0.1, "alpha": 0.02, "steps": 5, "generator": seeded()} | settings))
