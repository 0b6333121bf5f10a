import pytest
import torch
from torch import nn
from torch.nn import functional

from gauntlet.training.fgsm_law import build
from gauntlet.training.fgsm_law.method import Batch, Method, Setting
from gauntlet.training.fgsm_law.references import divergence

EPS = 8 / 255


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.BatchNorm2d(3, affine=False), nn.Flatten(), nn.Linear(48, 2))


def batch_of(n: int = 5) -> Batch:
    x = 0.2 + 0.6 * torch.rand(n, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    y = torch.arange(n) % 2
    return Batch(x, y, functional.one_hot(y, 2).float(), torch.arange(n), 0, 0.0)


def points(method: Method, model: nn.Module, batch: Batch) -> tuple:
    seen = []
    handle = model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().clone()))
    method.begin(model, Setting(EPS, 2, len(batch.x), (3, 4, 4), 1, 1, "cpu"), torch.Generator())
    loss = method.loss(model.train(), batch, torch.Generator().manual_seed(2))
    handle.remove()
    return loss, seen


def test_pgd_ends_in_the_linear_models_worst_corner():
    model, batch = linear(), batch_of()
    loss, seen = points(build("pgd_at", {"attack_in_eval": True}), model, batch)
    weight = (model[2].weight[1] - model[2].weight[0]).detach().view(3, 4, 4)
    towards = torch.where(batch.y == 1, -1.0, 1.0)[:, None, None, None]
    torch.testing.assert_close(seen[-1], batch.x + EPS * towards * weight.sign())
    assert loss.right_adv <= loss.right_reference


@pytest.mark.parametrize(("in_eval", "passes"), [(False, 11), (True, 1)])
def test_pgd_moves_the_batch_statistics_unless_it_attacks_in_eval_mode(in_eval, passes):
    model = linear()
    _, seen = points(build("pgd_at", {"attack_in_eval": in_eval}), model, batch_of())
    assert len(seen) == 11
    assert model[0].num_batches_tracked == passes
    assert model.training


def test_pgd_starts_inside_and_steps_by_a_quarter():
    _, seen = points(build("pgd_at"), linear(), batch := batch_of())
    assert (seen[0] - batch.x).abs().max() <= EPS + 1e-7
    assert (seen[1] - seen[0]).abs().max() <= EPS / 4 + 1e-6


def test_divergence_is_the_textbooks():
    logits, other = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)).double(), torch.randn(4, 6).double()
    p, q = other.softmax(1), logits.softmax(1)
    torch.testing.assert_close(divergence(logits, p), (p * (p / q).log()).sum(1).mean())
    assert divergence(logits, q).item() == pytest.approx(0, abs=1e-12)


def test_trades_is_its_formula():
    model, batch = linear(), batch_of()
    loss, seen = points(build("trades", {"beta": 3.0}), model, batch)
    clean, adversarial = (model(at) for at in seen[-2:])
    assert torch.equal(seen[-2], batch.x)
    expected = functional.cross_entropy(clean, batch.y) + 3.0 * divergence(adversarial, clean.softmax(1))
    torch.testing.assert_close(loss.value, expected)


def test_trades_attacks_in_eval_mode_and_goes_apart():
    model, batch = linear(), batch_of()
    _, seen = points(build("trades"), model, batch)
    assert model[0].num_batches_tracked == 2
    assert model.training
    assert (seen[1] - batch.x).abs().max() < 0.006
    torch.testing.assert_close((seen[-1] - batch.x).abs(), torch.full_like(batch.x, EPS))


def test_trades_trains_both_branches():
    model, batch = linear(), batch_of()
    points(build("trades"), model, batch)[0].value.backward()
    both = model[2].weight.grad.clone()
    model.zero_grad()
    points(build("trades", {"beta": 0.0}), model, batch)[0].value.backward()
    assert not torch.allclose(both, model[2].weight.grad)
