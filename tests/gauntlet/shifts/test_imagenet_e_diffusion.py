import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.shifts.imagenet_e_background import complexity, edit_background
from gauntlet.shifts.imagenet_e_diffusion import DiffusionPrior, respaced
from tests.fixtures.classification import pictures

ALPHAS = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), dim=0)


@pytest.fixture(scope="module")
def batch():
    x, masks, _ = pictures(3, side_px=32)
    return torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(masks)[:, None].float()


def identity(x, t):
    """Predict that there is no noise: the clean picture is the state, up to the step's scale."""
    return torch.zeros_like(x)


def oracle(clean):
    """Predict the very noise that was added to a known clean picture."""

    def predict(x, t):
        signal = ALPHAS[t].float().view(-1, 1, 1, 1)
        return (x - signal**0.5 * (2 * clean - 1)) / (1 - signal) ** 0.5

    return predict


def _edit(batch, denoiser, *, amount, steps=25):
    generator = torch.Generator().manual_seed(0)
    prior = DiffusionPrior(denoiser, ALPHAS)
    return edit_background(*batch, amount=amount, steps=steps, prior=prior, generator=generator)


def test_respaced_steps_run_from_end_to_end():
    chosen, kept = respaced(ALPHAS, steps=100)
    assert (chosen[0], chosen[-1], len(chosen)) == (0, 999, 100)
    assert torch.equal(kept, ALPHAS[chosen])
    assert respaced(ALPHAS, steps=1000)[0].tolist() == list(range(1000))
    with pytest.raises(ArgumentError, match=r"1\.\.1000"):
        respaced(ALPHAS, steps=1001)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("amount", [-20, 0, 20])
def test_the_loop_keeps_the_object_exact_around_a_stub(batch, amount, learned):
    x, masks = batch
    edited = _edit(batch, (lambda x, t: torch.zeros_like(x).repeat(1, 2, 1, 1)) if learned else identity, amount=amount)
    inside = masks.bool().expand_as(x)
    assert torch.equal(edited[inside], x[inside])
    assert edited.isfinite().all()
    assert edited.min() >= 0
    assert edited.max() <= 1


def test_a_perfect_denoiser_gives_the_picture_back(batch):
    x, _ = batch
    edited = _edit(batch, oracle(x), amount=0)
    assert (edited - x).abs().max() < 0.01


def test_guidance_orders_complexity(batch):
    smooth, control, busy = (complexity(_edit(batch, identity, amount=amount)) for amount in (-2e3, 0, 2e3))
    assert (smooth < control).all()
    assert (control < busy).all()


def test_noise_at_a_step_has_its_variance():
    prior = DiffusionPrior(identity, ALPHAS)
    x = torch.full((1, 3, 64, 64), 0.5)
    chain = prior.chain(x, torch.zeros(1, 1, 64, 64), amount=0, steps=25, generator=torch.Generator().manual_seed(0))
    assert torch.equal(chain.at_step(x, 0), torch.zeros_like(x))
    kept = respaced(ALPHAS, steps=100)[1][24].item()
    assert chain.start().var().item() == pytest.approx(1 - kept, rel=0.05)


def test_more_steps_than_there_are_is_refused(batch):
    with pytest.raises(ArgumentError, match="at most the 100"):
        _edit(batch, identity, amount=0, steps=101)
