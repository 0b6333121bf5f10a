"""GradAlign, GAT and NuAT against closed forms and their formulas written out."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from gauntlet.training.fgsm_law.method import vertex_start
from gauntlet.training.fgsm_law.regularisers import (
    Gat,
    GradAlign,
    NuAt,
    grad_align_weight,
    misalignment,
    nuclear_distance,
    squared_distance,
)
from tests.fixtures.minibatch import EPS, SHAPE, batch, begun, generator, network


@pytest.mark.parametrize(("eps", "weight"), [(4, 0.063), (8, 0.2), (16, 2.0)])
def test_the_published_weights_of_grad_align(eps, weight):
    assert grad_align_weight(eps / 255) == pytest.approx(weight, rel=0.01)


def test_misalignment_of_known_angles():
    across = torch.tensor([1.0, 0.0, 0.0, 0.0]).view(1, 1, 2, 2)
    down = torch.tensor([0.0, 1.0, 0.0, 0.0]).view(1, 1, 2, 2)
    assert misalignment(across, 7 * across) == 0
    assert misalignment(across, down) == 1
    assert misalignment(across, -across) == 2
    assert misalignment(torch.cat([across, across]), torch.cat([down, -across])) == 1.5


def test_misalignment_leaves_out_images_without_a_gradient():
    first = torch.rand(3, *SHAPE, generator=generator()).requires_grad_()
    second = torch.rand(3, *SHAPE, generator=generator(1))
    second[1] = 0
    found = misalignment(first, second)
    torch.testing.assert_close(found, misalignment(first[[0, 2]], second[[0, 2]]))
    found.backward()
    assert first.grad.isfinite().all()
    assert misalignment(torch.zeros(2, *SHAPE), second[:2]) == 0
    zero = torch.zeros(2, *SHAPE, requires_grad=True)
    misalignment(zero, second[:2]).backward()
    assert zero.grad.isfinite().all()


def test_two_classes_of_a_linear_model_are_aligned_everywhere():
    """All its gradients are multiples of w_0 - w_1, so that GradAlign is FGSM, at its closed-form loss."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(108, 2))
    one = batch()
    y = one.y % 2
    one = type(one)(x=one.x, y=y, target=functional.one_hot(y, 2).float(), index=one.index, step=0, epoch=0.0)
    value = begun(GradAlign(lam=1000.0), model).loss(model, one, generator()).value
    weight = model[1].weight.detach()
    toward = (weight[1] - weight[0]).sign() * torch.where(y == 0, 1, -1)[:, None]
    expected = functional.cross_entropy(model(one.x.flatten(1) + EPS * toward), y)
    assert value.item() == pytest.approx(expected.item(), abs=2e-4)


@pytest.mark.parametrize("random_start", [False, True])
def test_grad_align_and_its_second_derivative_by_the_formula(random_start):
    """Weight gradients of the regulariser against central differences, the first gradient held."""
    model, one = network(norm=False).double(), batch()
    one = type(one)(**{**vars(one), "x": one.x.double(), "target": one.target.double()})
    method = begun(GradAlign(lam=3.0, random_start=random_start), model)
    loss = method.loss(model, one, generator(1))
    loss.value.backward()
    first, attacked, nearby = model.seen[:3]
    assert ((first - one.x).abs().max() == 0) != random_start
    assert (attacked - one.x).abs().max() <= EPS + 1e-9
    assert EPS / 2 < (nearby - one.x).abs().max() <= EPS

    def gradient(x):
        x = x.clone().requires_grad_()
        return torch.autograd.grad(functional.cross_entropy(model(x), one.y), x)[0].flatten(1)

    held = gradient(first)

    def value():
        cosine = functional.cosine_similarity(held, gradient(nearby))
        return functional.cross_entropy(model(attacked), one.y).item() + 3 * (1 - cosine).mean().item()

    assert loss.value.item() == pytest.approx(value(), rel=1e-6)
    weight = model.body.weight
    for place in (0, 50, 130):
        flat, kept, step = weight.data.view(-1), weight.data.view(-1)[place].item(), 1e-5
        flat[place] = kept + step
        above = value()
        flat[place] = kept - step
        slope = (above - value()) / (2 * step)
        flat[place] = kept
        assert weight.grad.view(-1)[place].item() == pytest.approx(slope, rel=1e-3, abs=1e-5)


def test_distances_by_hand():
    sure, other = torch.tensor([[50.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 50.0], [0.0, 0.0]])
    assert squared_distance(sure, other).item() == pytest.approx((2 + 0) / 2)
    rank_one = torch.tensor([[1.0], [2.0], [2.0]]) @ torch.tensor([[3.0, 4.0]])
    assert nuclear_distance(rank_one, torch.zeros(3, 2)).item() == pytest.approx(3 * 5 / 3, rel=1e-6)
    diagonal = torch.diag(torch.tensor([3.0, -1.0]))
    assert nuclear_distance(torch.zeros(2, 2), diagonal).item() == pytest.approx((3 + 1) / 2, rel=1e-6)


def test_the_nuclear_norm_has_a_gradient_where_nothing_changed():
    logits = torch.zeros(4, 3, requires_grad=True)
    nuclear_distance(logits, torch.zeros(4, 3)).backward()
    assert logits.grad.isfinite().all()


def test_weights_over_the_run():
    assert [Gat().weight(done) for done in (0, 0.849, 0.85, 1)] == [10, 10, 40, 40]
    assert [NuAt().weight(done) for done in (0, 0.45, 0.9, 1)] == pytest.approx([0, 2.25, 4.5, 4.5])


@pytest.mark.parametrize("step", [16, 21])
@pytest.mark.parametrize("method", [Gat(), NuAt()], ids=["gat", "nuat"])
def test_the_guided_loss_by_the_formula(method, step):
    """Odd steps heed the distance, even ones do not; the attack sees eval mode, the loss train mode."""
    mine, plain, one = network(), network(), batch(step=step)
    found = begun(method, mine).loss(mine, one, generator(3))
    assert mine.training
    lam = 10.0 if isinstance(method, Gat) else 4.5 * (step / 3 / 10) / 0.9
    assert int(mine.norm.num_batches_tracked) == 2

    start = vertex_start(one.x, 4 / 255, generator(3)).requires_grad_()
    plain.eval()
    climbed = functional.cross_entropy(plain(one.x + start), one.y)
    if step % 2:
        climbed = climbed + lam * method.distance(plain(one.x).detach(), plain(one.x + start))
    (gradient,) = torch.autograd.grad(climbed, start)
    delta = (start.detach() + EPS * gradient.sign()).clamp(-EPS, EPS)
    plain.train()
    logits, logits_adv = plain(one.x), plain(one.x + delta)
    value = functional.cross_entropy(logits, one.y) + lam * method.distance(logits, logits_adv)
    torch.testing.assert_close(mine.seen[-1], one.x + delta)
    assert found.value.item() == pytest.approx(value.item(), rel=1e-5)
    assert found.right_adv == (logits_adv.argmax(1) == one.y).sum()
    assert found.right_reference == (logits.argmax(1) == one.y).sum()
    found.value.backward()
    value.backward()
    torch.testing.assert_close(mine.body.weight.grad, plain.body.weight.grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("method", [GradAlign(), GradAlign(random_start=True), Gat(), NuAt()])
def test_adversarials_stay_in_ball_and_box_and_leave_no_gradients(method):
    model, one = network(), batch(step=1, low=-0.02, high=1.02)
    one.x.clamp_(0, 1)
    begun(method, model).loss(model, one, generator())
    adversarial = model.seen[1] if isinstance(method, GradAlign) else model.seen[-1]
    assert (adversarial - one.x).abs().max() <= EPS + 1e-6
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert all(weight.grad is None for weight in model.parameters())


def test_grad_align_takes_a_compiled_network():
    one, plain, fast = batch(), network(), network()
    fast.embed = torch.compile(fast.embed, backend="aot_eager")
    losses = [begun(GradAlign(), model).loss(model, one, generator()).value for model in (plain, fast)]
    for loss in losses:
        loss.backward()
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    torch.testing.assert_close(plain.body.weight.grad, fast.body.weight.grad, rtol=1e-4, atol=1e-6)
