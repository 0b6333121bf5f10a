import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.iap_face import Protector, Shape, quantise

SMALL = Shape(bits=8, size_px=16, width=8, blocks=1, band=8)


def protector(shape=SMALL):
    torch.manual_seed(0)
    return Protector(shape).eval()


def pictures(*size):
    x = torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(1))
    x[0] = 0
    x[1] = 1
    return (x * 255).round() / 255


def messages(count, bits=8):
    return torch.randint(0, 2, (count, bits), generator=torch.Generator().manual_seed(2)).float()


@pytest.mark.parametrize("size", [(16, 16), (37, 50), (8, 9)])
@pytest.mark.parametrize("eps", [1 / 255, 0.025, 8 / 255, 0.2])
def test_a_protected_picture_lies_within_eps_on_whole_levels(size, eps):
    x = pictures(*size)
    model = protector(Shape(bits=8, size_px=16, width=8, blocks=1, band=8, eps=eps))
    with torch.no_grad():
        model.encoder.pattern.mul_(100)  # the whole of the ball is used
        x_p = model.protect(x, messages(3))
    assert x_p.shape == x.shape
    assert (x_p - x).abs().max() <= eps + 1e-6
    assert (x_p - x).abs().max() > 0.5 / 255
    assert x_p.min() >= 0
    assert x_p.max() <= 1
    levels = (x_p * 255).round()
    torch.testing.assert_close(x_p * 255, levels, atol=1e-3, rtol=0)
    assert (levels.byte().int() - (x * 255).round().int()).abs().max() <= eps * 255 + 1e-3


def test_a_picture_between_levels_stays_within_eps_too():
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(4))
    x_p = protector().protect(x, messages(2))
    assert (x_p - x).abs().max() <= 0.025 + 1e-5


def test_the_gradient_passes_the_rounding():
    x = pictures(16, 16)[2:]
    model = protector()
    model.protect(x, messages(1)).square().sum().backward()
    assert model.encoder.pattern.grad.abs().sum() > 0
    assert model.encoder.stem.weight.grad.abs().sum() > 0
    leaf = x.clone().requires_grad_()
    quantise(leaf).sum().backward()
    assert torch.equal(leaf.grad, torch.ones_like(x))


def test_the_message_is_in_the_picture_from_the_start():
    model, message = protector(), messages(3)
    x = torch.full((3, 3, 16, 16), 0.5)
    right = (model.decode(model.protect(x, message)) > 0) == (message > 0.5)
    assert right.double().mean() > 0.9


def test_the_batch_may_be_permuted():
    model, x, message = protector(), pictures(20, 24), messages(3)
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(model.protect(x[order], message[order]), model.protect(x, message)[order])
    torch.testing.assert_close(model.decode(x[order]), model.decode(x)[order])


def test_the_residual_is_within_the_ball_at_any_size():
    assert protector().residual(pictures(100, 31), messages(3)).abs().max() <= 0.025


def test_a_message_of_the_wrong_length_is_refused():
    with pytest.raises(ArgumentError, match="must have 8 bits; got"):
        protector().protect(pictures(16, 16), messages(3, bits=9))


@pytest.mark.parametrize(
    ("x", "count"), [(torch.zeros(3, 16, 16), 3), (torch.zeros(3, 16, 16, 3), 3), (torch.zeros(3, 3, 16, 16), 2)]
)
def test_pictures_and_messages_of_other_shapes_are_refused(x, count):
    with pytest.raises(ArgumentError, match="with B messages"):
        protector().protect(x, messages(count))


@pytest.mark.parametrize("wrong", [{"eps": 8}, {"eps": 0.001}, {"size_px": 30}, {"size_px": 8}])
def test_a_shape_out_of_range_is_refused(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        Shape(**wrong)
