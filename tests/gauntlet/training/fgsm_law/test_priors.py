"""Methods with a prior: what they remember and learn, against the formulas, and that a resumed run goes on alike."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from gauntlet.training.fgsm_law.method import smooth
from gauntlet.training.fgsm_law.priors import FgsmEp, FgsmMep, FgsmSdi, Free, StartNetwork, retained_gradient
from tests.fixtures.minibatch import CLASSES, EPS, IMAGES, SETTING, SHAPE, batch, begun, generator, network


def gradient_at(model: nn.Module, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(functional.cross_entropy(model(x), target), x)[0]


def clipped(x: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
    return (x + delta.clamp(-EPS, EPS)).clamp(0, 1) - x


def test_the_retained_gradient_is_that_of_the_sum_over_images():
    model, one = network(norm=False), batch()
    x = one.x.clone().requires_grad_()
    value = functional.cross_entropy(model(x), one.y)
    found = retained_gradient(value, x)
    value.backward()  # the graph is still there
    torch.testing.assert_close(found, x.grad * len(x))
    assert model.head.weight.grad is not None


@pytest.mark.parametrize("method", [FgsmEp, FgsmMep])
def test_the_loss_with_a_prior_by_the_formula(method):
    mine, plain, one = network(), network(), batch()
    found = begun(method(), mine).loss(mine, one, generator(4))
    start = mine.seen[0] - one.x
    torch.testing.assert_close(start.abs(), torch.full_like(start, EPS), atol=1e-6, rtol=0)
    target = smooth(one.target, 0.6)
    x = mine.seen[0].requires_grad_()
    logits_start = plain(x)
    (gradient,) = torch.autograd.grad(functional.cross_entropy(logits_start, target), x, retain_graph=True)
    delta = clipped(one.x, start + EPS * gradient.sign())
    logits = plain(one.x + delta)
    value = functional.cross_entropy(logits, target) + 10 * functional.mse_loss(logits, logits_start)
    assert found.value.item() == pytest.approx(value.item(), rel=1e-5)
    assert found.right_adv == (logits.argmax(1) == one.y).sum()
    assert found.right_reference == (logits_start.argmax(1) == one.y).sum()
    found.value.backward()
    value.backward()
    for weight, expected in zip(mine.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, expected.grad, rtol=1e-3, atol=1e-6)


def test_an_image_starts_where_its_last_attack_ended():
    model, source = network(), generator()
    method = begun(FgsmEp(), model)
    method.loss(model, batch(), source)
    ended = model.seen[-1] - batch().x
    method.loss(model, batch(step=1, first=8), source)  # other images, other priors
    other = model.seen[-1] - batch(first=8).x
    method.loss(model, batch(step=2), source)
    torch.testing.assert_close(model.seen[-2] - batch().x, ended, atol=1e-6, rtol=0)
    assert (ended - other).abs().max() > EPS / 2


def test_momentum_by_the_formula():
    model, source = network(), generator()
    method = begun(FgsmMep(), model)
    one, target = batch(), smooth(batch().target, 0.6)
    start, momentum = None, torch.zeros_like(one.x)
    for step in range(3):
        method.loss(model, batch(step=step), source)
        seen = model.seen[-2] - one.x
        if step:
            torch.testing.assert_close(seen, start, atol=1e-6, rtol=0)
        gradient = gradient_at(model, one.x + seen, target)
        momentum = 0.3 * momentum + gradient / gradient.abs().sum()
        start = clipped(one.x, seen + EPS * momentum.sign())
        model.head.weight.data.mul_(0.1)  # gradients of unlike length show whether it is divided out


def test_without_momentum_mep_is_ep():
    one, other = network(), network()
    ep, mep = begun(FgsmEp(), one), begun(FgsmMep(momentum=0.0), other)
    for step in range(3):
        losses = [m.loss(model, batch(step=step), generator(step)) for m, model in ((ep, one), (mep, other))]
        assert losses[0].value == losses[1].value


def test_priors_are_drawn_anew_after_their_epochs():
    model, method = network(), FgsmMep(reset_epochs=2)
    begun(method, model)
    for step in range(2 * SETTING.steps_per_epoch + 1):
        method.loss(model, batch(step=step, size=4), generator(step))
        starts = method.state()["start"]
        fresh = starts[4:]  # never seen, so as they were drawn
        assert starts.shape == (IMAGES, *SHAPE)
        if step == 0:
            first = fresh.clone()
        assert torch.equal(first, fresh) == (step < 2 * SETTING.steps_per_epoch)


def test_free_moves_one_perturbation_with_each_replay_and_never_resets_it():
    model, method = network(norm=False), begun(Free(), network())
    expected = torch.zeros(8, *SHAPE)
    assert method.replays == 8
    for step, (first, size) in enumerate([(0, 8), (0, 8), (8, 8), (16, 5)]):
        one = batch(step=step, first=first, size=size)
        model.zero_grad()
        loss = method.loss(model, one, generator())
        torch.testing.assert_close(model.seen[-1], one.x + clipped(one.x, expected[:size]), atol=1e-6, rtol=0)
        loss.value.backward()
        weights = [weight.grad.clone() for weight in model.parameters()]
        method.after_backward(model)
        gradient = gradient_at(model, one.x + expected[:size], one.y)
        expected[:size] = clipped(one.x, expected[:size] + EPS * gradient.sign())
        model.zero_grad()
        functional.cross_entropy(model(model.seen[-2]), one.y).backward()
        for weight, found in zip(model.parameters(), weights, strict=True):
            torch.testing.assert_close(found, weight.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(method.state()["delta"], expected, atol=1e-6, rtol=0)


def test_the_network_of_sdi_starts_inside_the_ball_from_image_and_signs():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = StartNetwork(channels=3, width=8, eps=EPS)
    hints = torch.cat([batch().x, torch.randn(8, *SHAPE, generator=generator()).sign()], 1)
    start = made(hints)
    assert start.shape == (8, *SHAPE)
    assert start.abs().max() <= EPS
    assert start.std() > EPS / 10
    assert (made.eval()(hints) - made(hints.roll(3, 1))).abs().max() > 0


@pytest.mark.parametrize("clip", [True, False])
def test_sdi_by_the_formula(clip):
    mine, plain = network(), network()
    one = batch(step=1, low=0, high=1)
    method = begun(FgsmSdi(width=8, clip_pixels=clip), mine)
    found = method.loss(mine, one, generator())
    hints = torch.cat([one.x, gradient_at(plain, one.x, one.y).sign()], 1)
    with torch.no_grad():
        start = method._network(hints)
    delta = (start + EPS * gradient_at(plain, one.x + start, one.y).sign()).clamp(-EPS, EPS)
    x_adv = (one.x + delta).clamp(0, 1) if clip else one.x + delta
    torch.testing.assert_close(mine.seen[-1], x_adv)
    soft = torch.full((8, CLASSES), 0.5 / 3).scatter(1, one.y[:, None], 0.5)
    assert found.value.item() == pytest.approx(functional.cross_entropy(plain(x_adv), soft).item(), rel=1e-5)


def test_the_network_learns_every_20th_step_to_raise_the_loss_and_leaves_the_model_alone():
    model, one = network(norm=False), batch(step=20)
    method = begun(FgsmSdi(width=8, network_lr=0.05), model)
    weights = [weight.clone() for weight in method._network.parameters()]
    before = method.loss(model, batch(step=19), generator()).value.item()
    assert all(map(torch.equal, weights, method._network.parameters()))
    for _ in range(15):
        after = method.loss(model, one, generator()).value.item()
    assert after > before + 1e-4
    assert all(weight.grad is None and weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("method", [Free, FgsmEp, FgsmMep, FgsmSdi])
def test_a_resumed_method_goes_on_alike(method, tmp_path):
    model = network(norm=False)

    def run(one, steps):
        losses = []
        for step in steps:
            model.zero_grad()
            loss = one.loss(model, batch(step=step), generator(step))
            loss.value.backward()
            one.after_backward(model)
            losses.append(loss.value.item())
        return losses

    whole = begun(method(), model)
    assert isinstance(whole.state(), dict)  # before the first step too
    run(whole, range(3))
    torch.save(whole.state(), tmp_path / "state.pt")
    expected = run(whole, range(3, 6))
    resumed = begun(method(), model, seed=9)
    resumed.load(torch.load(tmp_path / "state.pt", weights_only=True))
    assert run(resumed, range(3, 6)) == expected
