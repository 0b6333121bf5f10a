"""AutoAttack's flags: each is raised by a model made for it, and none by a plain network."""

import cProfile
import warnings

import pytest
import torch
from pyautoattack import checks
from torch import nn

from gauntlet.attacks.autoattack import Broken
from gauntlet.attacks.self_checks import self_checks


class Noisy(nn.Sequential):
    def forward(self, x):
        return super().forward(x + 0.05 * torch.rand_like(x))


class Dynamic(nn.Sequential):
    def forward(self, x):
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(super().forward(leaf).logsumexp(1).sum(), leaf)
        return super().forward(x + 0.001 * slope)


class Adapting(nn.Sequential):
    def __init__(self, *parts):
        super().__init__(*parts)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen += len(x)
        return super().forward(x)


class Rounded(nn.Sequential):
    def forward(self, x):
        return super().forward((x * 7).round() / 7)


class Scaled(nn.Sequential):
    def forward(self, x):
        return 1e4 * super().forward(x)


def found(trained, model, **rest) -> list[str]:
    return self_checks(model.eval(), trained.x[:40], trained.y[:40], eps=0.03, **rest).problems


def test_nothing_to_say_about_a_plain_network(trained):
    assert found(trained, trained.model) == []


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda model: Noisy(model), "The output is random"),
        (lambda model: Dynamic(model), "The model optimises while it predicts"),
        (lambda model: Adapting(model), "The model optimises while it predicts"),
        (lambda model: nn.Sequential(model, nn.Softmax(1)), "The output is a probability distribution"),
        (lambda model: Rounded(model), "The gradient of the logit differences is zero at 40 of 40 images"),
        (lambda model: Scaled(model), "The gradient of the cross-entropy is zero at"),
    ],
)
def test_each_flag(trained, make, sentence):
    assert any(problem.startswith(sentence) for problem in found(trained, make(trained.model)))


def test_random_outputs_are_what_the_reference_calls_random(trained):
    for model, random in ((trained.model, False), (Noisy(trained.model), True)):
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            checks.check_randomized(model, trained.x[:40], trained.y[:40])
        assert bool(raised) == random == any("random" in problem for problem in found(trained, model))


def test_a_profiler_is_left_running(trained):
    with cProfile.Profile() as profiler:
        assert self_checks(*trained, eps=0.1).problems == []
    assert profiler.getstats()


def test_few_classes(linear):
    model, x, y = linear(3)
    problems = self_checks(model, x, y, eps=0.03).problems
    assert problems == [
        "With 3 classes the targeted DLR loss has no scale: a plain difference is attacked.",
        "With 3 classes there are fewer than 9 targets.",
    ]


@pytest.mark.parametrize(("count", "problems"), [(0, 0), (2, 0), (3, 1)])
def test_square_that_finds_more_than_gradients(trained, count, problems):
    """Up to two in a thousand are within the reference's tolerance."""
    by = torch.full((1000,), 1)
    by[:count] = 4
    said = found(trained, trained.model, broken=Broken(torch.zeros(1000, 1), by))
    assert len(said) == problems
    assert all(sentence.startswith(f"Square broke {count} of 1000 images") for sentence in said)


def test_logits_that_are_not_finite(trained):
    class Broken(nn.Sequential):
        def forward(self, x):
            return super().forward(x) / 0.0

    assert "Logits are not finite: no loss ranks the classes." in found(trained, Broken(trained.model))


def test_leaves_the_model_as_it_was(trained):
    before = [weight.clone() for weight in trained.model.parameters()]
    found(trained, trained.model)
    assert all(weight.grad is None for weight in trained.model.parameters())
    assert all(map(torch.equal, before, trained.model.parameters()))
