import pytest
import torch
from torch import nn

from gauntlet.errors import ArgumentError
from gauntlet.training.state import start_sgd

STEPS = 110


def begun(schedule: str, turns: tuple[float, ...], *, steps: int = STEPS):
    return start_sgd(
        nn.Linear(3, 2),
        lr=0.1,
        weight_decay=5e-4,
        schedule=schedule,
        turns=turns,
        steps=steps,
        generator=torch.Generator().manual_seed(0),
    )


def rates(optimizer: torch.optim.Optimizer, scheduler, *, steps: int = STEPS) -> list[float]:
    taken = []
    for _ in range(steps):
        taken.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return taken


def test_multistep_is_torchs_at_the_papers_turns():
    state = begun("multistep", (99 / 110, 104 / 110))
    other = torch.optim.SGD(nn.Linear(3, 2).parameters(), lr=0.1)
    expected = rates(other, torch.optim.lr_scheduler.MultiStepLR(other, [99, 104]))
    assert rates(state.optimizer, state.scheduler) == pytest.approx(expected)


def test_cyclic_is_torchs():
    state = begun("cyclic", (0.4,))
    other = torch.optim.SGD(nn.Linear(3, 2).parameters(), lr=0.1, momentum=0.9)
    cycle = torch.optim.lr_scheduler.CyclicLR(other, 0, 0.1, step_size_up=44, step_size_down=66, cycle_momentum=False)
    assert rates(state.optimizer, state.scheduler) == pytest.approx(rates(other, cycle), abs=1e-9)


def test_one_cycle_is_torchs_but_ends_at_zero():
    state = begun("one_cycle", (0.4,))
    other = torch.optim.SGD(nn.Linear(3, 2).parameters(), lr=0.1, momentum=0.9)
    # torch counts from zero: its peak falls on 45 - 1 = 44, its end on 111 - 1.
    cycle = torch.optim.lr_scheduler.OneCycleLR(other, 0.1, total_steps=111, pct_start=45 / 111, cycle_momentum=False)
    assert rates(state.optimizer, state.scheduler) == pytest.approx(rates(other, cycle), abs=1e-5)


@pytest.mark.parametrize("schedule", ["multistep", "cyclic", "one_cycle"])
def test_a_run_of_no_steps_is_over_at_once(schedule):
    assert begun(schedule, (0.5,), steps=0).epoch == 0


def test_the_fused_step_is_sgd():
    state = begun("multistep", (0.5,))
    plain = nn.Linear(3, 2)
    plain.load_state_dict(state.model.state_dict())
    other = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    for _ in range(3):
        for model, optimizer in ((state.model, state.optimizer), (plain, other)):
            optimizer.zero_grad()
            model(x).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(state.model.weight, plain.weight)


class Counter:
    def __init__(self) -> None:
        self.count = 0

    def state(self) -> dict:
        return {"count": self.count}

    def load(self, state: dict) -> None:
        self.count = state["count"]


def test_extras_are_saved_and_taken_up():
    state, other = begun("multistep", (0.5,)), begun("multistep", (0.5,))
    state.extra, other.extra = {"counter": Counter()}, {"counter": Counter()}
    state.extra["counter"].count = 7
    other.load_state_dict(state.state_dict())
    assert other.extra["counter"].count == 7


@pytest.mark.parametrize(
    ("schedule", "turns", "said"),
    [("steps", (0.5,), "multistep"), ("cyclic", (40.0,), "epoch"), ("cyclic", (), "turns")],
)
def test_bad_schedules_are_named(schedule, turns, said):
    with pytest.raises(ArgumentError, match=said):
        begun(schedule, turns)
