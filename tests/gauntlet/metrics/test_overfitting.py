import pytest
import torch
from torch import nn

from gauntlet.metrics.overfitting import catastrophic_overfitting, held_out, linearity


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, 2))


def pictures(count: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    # well inside the box, so that the ball alone limits the attack
    return torch.randint(80, 176, (count, 3, 6, 6), generator=draw, dtype=torch.uint8), torch.arange(count) % 2


def test_a_linear_model_has_its_closed_form():
    model, (x, _), eps = linear(), pictures(), 8 / 255
    weight, offset = model[1].weight.detach(), model[1].bias.detach()
    margin = (x.float() / 255).flatten(1) @ (weight[1] - weight[0]) + offset[1] - offset[0]
    y = (margin > 0).long()
    y[:50] = 1 - y[:50]
    margin = torch.where(y == 1, margin, -margin)
    result = held_out(model, x, y, eps=eps, batch=64, device="cpu", generator=torch.Generator().manual_seed(0))
    assert result.clean == pytest.approx(150 / 200)
    assert result.pgd_10 == pytest.approx((margin > eps * (weight[1] - weight[0]).abs().sum()).float().mean().item())
    assert result.clean > result.fgsm >= result.pgd_10
    assert result.linearity == pytest.approx(1, abs=1e-5)
    assert result.n == 200
    assert not any(weight.grad is not None for weight in model.parameters())


def test_held_out_figures_follow_the_generator():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 2))
    x, y = pictures(40)
    first, second = (
        held_out(model, x, y, eps=0.1, batch=16, device="cpu", generator=torch.Generator().manual_seed(0))
        for _ in range(2)
    )
    assert first == second
    assert 0 < first.linearity < 1


class Wave(nn.Module):
    """Its gradient in the first pixel turns many times within the ball."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wave = torch.sin(2000 * x.flatten(1)[:, 0])
        return torch.stack([wave, -wave], 1)


def test_a_wave_is_not_linear_and_a_constant_has_no_cosine():
    x, y = torch.rand(400, 1, 1, 1, generator=torch.Generator().manual_seed(0)), torch.zeros(400, dtype=torch.int64)
    cosine = linearity(Wave(), x, y, eps=0.1, generator=torch.Generator().manual_seed(1))
    assert abs(cosine.mean()) < 0.2
    flat = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    nn.init.zeros_(flat[1].weight)
    assert linearity(flat, x, y, eps=0.1, generator=torch.Generator().manual_seed(1)).isnan().all()
    pixels = (255 * x).to(torch.uint8)
    result = held_out(flat, pixels, y, eps=0.1, batch=400, device="cpu", generator=torch.Generator().manual_seed(1))
    assert result.linearity == 0


def history(*rows: tuple[float, ...], keys: tuple[str, ...] = ("clean", "fgsm", "pgd_10", "linearity")) -> list[dict]:
    return [{"epoch": number + 1, **dict(zip(keys, row, strict=True))} for number, row in enumerate(rows)]


HEALTHY = [(0.1, 0.1, 0.08, 0.97), (0.35, 0.25, 0.22, 0.9), (0.5, 0.33, 0.29, 0.85), (0.62, 0.38, 0.33, 0.8)]


def test_a_healthy_run_is_healthy():
    assert not catastrophic_overfitting(history(*HEALTHY)).collapsed


def test_a_collapse_is_named_with_its_epoch():
    found = catastrophic_overfitting(history(*HEALTHY, (0.75, 0.82, 0.02, 0.05), (0.8, 0.9, 0.0, 0.02)))
    assert (found.collapsed, found.epoch, found.recovered) == (True, 5, False)


def test_a_collapse_that_takes_two_epochs():
    rows = [*HEALTHY, (0.68, 0.5, 0.22, 0.5), (0.72, 0.7, 0.1, 0.2)]
    assert catastrophic_overfitting(history(*rows)).epoch == 6


def test_a_recovered_run_says_so():
    rows = [*HEALTHY, (0.75, 0.82, 0.02, 0.05), (0.6, 0.37, 0.31, 0.7)]
    found = catastrophic_overfitting(history(*rows))
    assert (found.epoch, found.recovered) == (5, True)


def test_a_collapse_seen_at_the_training_attack_alone():
    """FGSM from zero learns its own corners; the random start of the held-out FGSM misses them."""
    records = history(*HEALTHY, (0.75, 0.1, 0.02, 0.1))
    assert not catastrophic_overfitting(records).collapsed
    records[-1]["train_top1_adv"] = 0.95
    assert catastrophic_overfitting(records).epoch == 5


def test_a_slow_decline_is_not_a_collapse():
    """Robust overfitting: training and held-out images drift apart over many epochs."""
    rows = [(0.8, 0.5 - 0.01 * n, 0.45 - 0.012 * n, 0.8 - 0.01 * n) for n in range(35)]
    records = history(*rows)
    for record in records:
        record["train_top1_adv"] = 0.5 + 0.014 * record["epoch"]
    assert not catastrophic_overfitting(records).collapsed


def test_a_bad_epoch_of_everything_is_not_a_collapse():
    rows = [*HEALTHY, (0.2, 0.12, 0.1, 0.75), HEALTHY[-1]]
    assert not catastrophic_overfitting(history(*rows)).collapsed


@pytest.mark.parametrize(
    "first", [(0.1, 0.1, 0.0, 0.1), (0.12, 0.1, 0.1, 0.99), (0.3, 0.15, 0.02, 0.3), (0.0, 0.0, 0.0, 0.0)]
)
def test_the_first_epoch_of_an_untrained_model_is_no_collapse(first):
    assert not catastrophic_overfitting(history(first)).collapsed
    assert not catastrophic_overfitting(history(first, *HEALTHY[1:])).collapsed


def test_a_model_that_collapses_before_its_first_record():
    assert catastrophic_overfitting(history((0.7, 0.8, 0.01, 0.03), (0.8, 0.9, 0.0, 0.02))).epoch == 1


def test_a_small_training_set_learnt_by_heart_is_no_collapse():
    records = history((0.6, 0.3, 0.2, 0.7), (0.62, 0.28, 0.18, 0.65))
    for record in records:
        record["train_top1_adv"] = 0.97
    assert not catastrophic_overfitting(records).collapsed


def test_plain_training_never_collapses():
    rows = [(0.3, 0.15, 0.12, 0.9), (0.9, 0.3, 0.02, 0.3), (0.95, 0.3, 0.0, 0.1)]
    records = history(*rows)
    for record in records:
        record["train_top1_adv"] = 0.99
    assert not catastrophic_overfitting(records, attacked=False).collapsed
    assert not catastrophic_overfitting([]).collapsed


def test_without_linearity_the_rates_decide():
    rows = [row[:3] for row in (*HEALTHY, (0.75, 0.82, 0.02, 0.0))]
    assert catastrophic_overfitting(history(*rows, keys=("clean", "fgsm", "pgd_10"))).epoch == 5
