import copy
import math

import pytest
import torch
from torch import nn

from gauntlet.errors import ArgumentError
from gauntlet.training.fgsm_law.averaging import AVERAGINGS, Awa, Ema, NoAveraging
from gauntlet.training.fgsm_law.method import Loss


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def counted(right_adv: int, right_reference: int) -> Loss:
    return Loss(torch.zeros(()), torch.tensor(right_adv), torch.tensor(right_reference))


def step(model: nn.Module, generator: torch.Generator) -> None:
    """Move the weights and the batch statistics."""
    with torch.no_grad():
        for weight in model.parameters():
            weight += torch.randn(weight.shape, generator=generator)
        model(torch.randn(8, 3, generator=generator))


def run(averaging, losses: list[Loss]) -> list[dict]:
    model, generator = network(), torch.Generator().manual_seed(1)
    averaging.begin(model)
    shadows = []
    for loss in losses:
        step(model, generator)
        averaging.after_step(model, loss)
        shadows.append(copy.deepcopy(averaging.shadow.state_dict()))
    return shadows


def same(first: dict, second: dict) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_the_papers_k_sequence():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    averaging = Ema(0.999)
    averaging.begin(model)
    kept = []
    for _ in range(3):
        with torch.no_grad():
            model.weight.fill_(1.0)
            averaging.shadow.weight.zero_()
        averaging.after_step(model, counted(0, 1))
        kept.append(1 - averaging.shadow.weight.item())
    assert kept == pytest.approx([0.1, 2 / 11, 0.25])


def test_k_is_capped():
    averaging = Ema(0.9)
    model = nn.Linear(1, 1, bias=False)
    averaging.begin(model)
    averaging.load({"shadow": {"weight": torch.zeros(1, 1)}, "taken": torch.tensor(10**6)})
    with torch.no_grad():
        model.weight.fill_(1.0)
    averaging.after_step(model, counted(0, 1))
    assert averaging.shadow.weight.item() == pytest.approx(0.1)


def test_tau_zero_never_moves_the_shadow():
    start = network().state_dict()
    assert all(same(start, shadow) for shadow in run(Awa(tau=0.0), [counted(3, 9)] * 4))


def test_tau_infinite_is_the_plain_average():
    losses = [counted(9, 9), counted(3, 9), counted(9, 3)]
    pairs = zip(run(Awa(tau=math.inf), losses), run(Ema(0.999), losses), strict=True)
    assert all(same(first, second) for first, second in pairs)


def test_a_collapsed_step_leaves_the_same_bits():
    healthy, collapsed = counted(4, 9), counted(9, 9)
    shadows = run(Awa(), [healthy, collapsed, healthy])
    assert same(shadows[0], shadows[1])
    assert not same(shadows[1], shadows[2])


def test_a_rejected_step_does_not_count():
    averaging = Awa()
    run(averaging, [counted(4, 9), counted(9, 9), counted(4, 9)])
    assert averaging.state()["taken"] == 2


@pytest.mark.parametrize(("guard", "healthy"), [(False, False), (True, True)])
def test_the_guard_is_one_in_the_denominator(guard, healthy):
    assert bool(Awa(tau=0.82, guard=guard).healthy(counted(9, 10))) is healthy
    assert bool(Awa(tau=0.82, guard=guard).healthy(counted(0, 0))) is healthy


def test_batch_statistics_are_averaged_and_counters_copied():
    shadow = run(Ema(0.5), [counted(0, 1)] * 3)[-1]
    assert shadow["1.num_batches_tracked"] == 3
    assert shadow["1.num_batches_tracked"].dtype == torch.int64
    assert shadow["1.running_mean"].abs().sum() > 0


def test_the_shadow_is_in_eval_mode_and_apart():
    averaging, model = Ema(), network()
    averaging.begin(model)
    assert not averaging.shadow.training
    assert averaging.shadow[0].weight is not model[0].weight
    assert model.training
    assert model[0].weight.requires_grad


def test_no_averaging_is_the_model_itself():
    averaging, model = NoAveraging(), network()
    averaging.begin(model)
    averaging.after_step(model, counted(1, 1))
    assert averaging.shadow is model
    assert averaging.state() == {}


def test_the_state_goes_round():
    first, second = Awa(), Awa()
    run(first, [counted(1, 9)] * 3)
    second.begin(network())
    second.load(copy.deepcopy(first.state()))
    assert same(first.shadow.state_dict(), second.shadow.state_dict())
    assert second.state()["taken"] == 3


def test_bad_decay_and_the_names():
    assert set(AVERAGINGS) == {"none", "ema", "awa"}
    with pytest.raises(ArgumentError, match=r"decay must lie in \[0, 1\)"):
        Ema(1.0)
