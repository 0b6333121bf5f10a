"""Every method of priors, regularisers and LAW under autocast: finite, in float32, and near the float32 loss."""

import pytest
import torch

from gauntlet.training.fgsm_law.law import FgsmLaw
from gauntlet.training.fgsm_law.priors import FgsmEp, FgsmMep, FgsmSdi, Free, retained_gradient
from gauntlet.training.fgsm_law.regularisers import Gat, GradAlign, NuAt
from tests.fixtures.minibatch import EPS, batch, begun, generator, network

METHODS = [
    FgsmLaw(),
    FgsmLaw(reference="init"),
    FgsmEp(),
    FgsmMep(),
    FgsmSdi(width=8),
    Free(),
    GradAlign(),
    Gat(),
    NuAt(),
]


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_lower_precision_changes_the_loss_little(method, precision):
    losses = []
    for lower in (False, True):
        model = network()
        begun(method, model)
        with torch.autocast("cpu", dtype=precision, enabled=lower):
            for step in (0, 1):
                loss = method.loss(model, batch(step=step), generator(step))
        loss.value.backward()
        method.after_backward(model)
        assert loss.value.dtype == torch.float32
        assert all(weight.grad.isfinite().all() for weight in model.parameters())
        losses.append(loss.value.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.03)


def test_an_overflow_is_not_remembered():
    x = torch.tensor([[[[1.0, 2.0, 3.0]]]], requires_grad=True)
    value = (x * torch.tensor([float("inf"), float("nan"), 2.0])).sum()
    assert retained_gradient(value, x).flatten().tolist() == [0, 0, 2]
    model, method = network(), begun(Free(), network())
    method.loss(model, batch(), generator()).value.backward()
    method._used.grad[0] = float("nan")
    method.after_backward(model)
    delta = method.state()["delta"]
    assert delta[0].abs().max() == 0
    assert delta[1:].abs().min() == pytest.approx(EPS, rel=1e-4)
