"""Methods of priors, regularisers and LAW: which images they count as right, and their loss under autocast."""

from dataclasses import replace

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


@pytest.mark.parametrize(
    "method", [FgsmLaw(), FgsmSdi(width=8), GradAlign(), Gat(), NuAt()], ids=lambda m: type(m).__name__
)
def test_what_is_right_at_the_clean_image_and_wrong_at_the_adversarial(method):
    """Labels are the model's own answers, and the radius is large."""
    model, one = network(norm=False), batch(step=1)
    model.head.bias.data -= model(one.x).detach().mean(0)  # or one class would win everywhere
    y = model(one.x).argmax(1)
    assert len(y.unique()) > 2
    target = torch.nn.functional.one_hot(y, one.target.shape[1]).float()
    loss = begun(method, model, eps=0.5).loss(model, replace(one, y=y, target=target), generator())
    assert loss.right_reference == len(y)
    assert loss.right_adv < len(y)


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
