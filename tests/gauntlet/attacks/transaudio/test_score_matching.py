"""Score matching on a recogniser whose loss is a quadratic form: residual and gradients in closed form."""

import pytest
import torch
from torch import nn

from gauntlet.attacks.transaudio.score_matching import Batch, residual, tuned, tuning_loss
from gauntlet.errors import ArgumentError
from gauntlet.waveforms import Waveforms
from tests.gauntlet.tiny_ctc import sentences, spoken

SIZE, SIGMA = 12, 0.1
TEXTS = ["ab", "abcd"]


class Quadratic(nn.Module):
    """log p = -letters * x'Ax / 2."""

    def __init__(self) -> None:
        super().__init__()
        root = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        self.form = nn.Parameter(root @ root.T / SIZE)

    def waveform_loss(self, waveform, lengths, texts):
        return 0.5 * (waveform @ self.form * waveform).sum(1)

    def score(self, waveform):
        return -torch.tensor([len(text) for text in TEXTS])[:, None] * waveform @ (self.form + self.form.T) / 2


@pytest.fixture
def drawn() -> tuple[Waveforms, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x, noise = (torch.randn(2, SIZE, generator=generator, dtype=torch.float64) for _ in range(2))
    return Waveforms(x, torch.tensor([SIZE, SIZE])), noise


def expected(model: Quadratic, x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    return (SIGMA * model.score(x + SIGMA * noise) + noise).square().mean(1)


def test_the_residual_and_its_slope_are_exact(drawn):
    utterances, noise = drawn
    model = Quadratic()
    x = utterances.waveform.clone().requires_grad_(True)
    value = expected(model, x, noise)
    found = residual(model, utterances, texts=TEXTS, noise=noise, sigma=SIGMA)
    torch.testing.assert_close(found.value, value.detach())
    torch.testing.assert_close(found.gradient, torch.autograd.grad(value.sum(), x)[0])


def test_the_weights_get_the_gradient_of_loss_and_residual(drawn):
    utterances, noise = drawn
    model = Quadratic()
    wanted = model.waveform_loss(*utterances, TEXTS) + 3 * expected(model, utterances.waveform, noise)
    found = tuning_loss(model, utterances, texts=TEXTS, noise=noise, sigma=SIGMA, lam=3)
    torch.testing.assert_close(*(torch.autograd.grad(loss.sum(), model.form)[0] for loss in (found, wanted)))


def test_a_recogniser_without_slope_has_a_residual_of_the_noises_power(drawn):
    utterances, noise = drawn
    model = Quadratic()
    model.form.data.zero_()
    found = residual(model, utterances, texts=TEXTS, noise=noise, sigma=SIGMA)
    torch.testing.assert_close(found.value, noise.square().mean(1))
    assert not found.gradient.any()


def test_padding_counts_not(tones):
    texts = sentences(2, seed=3)
    utterances = Waveforms(*spoken(texts))
    noise = torch.randn(utterances.waveform.shape, generator=torch.Generator().manual_seed(0))
    both = residual(tones, utterances, texts=texts, noise=noise, sigma=0.01)
    for row, size in enumerate(utterances.lengths.tolist()):
        own = Waveforms(utterances.waveform[row : row + 1, :size], utterances.lengths[row : row + 1])
        alone = residual(tones, own, texts=texts[row : row + 1], noise=noise[row : row + 1, :size], sigma=0.01)
        torch.testing.assert_close(alone.value[0], both.value[row])
        assert not both.gradient[row, size:].any()


def test_tuning_lowers_the_residual_of_a_copy(tones):
    def fresh(seed: int) -> Batch:
        texts = sentences(8, seed=seed)
        return Batch(Waveforms(*spoken(texts, seed=seed)), texts)

    def mean_residual(model) -> float:
        utterances, texts = fresh(99)
        noise = torch.randn(utterances.waveform.shape, generator=torch.Generator().manual_seed(5))
        return float(residual(model, utterances, texts=texts, noise=noise, sigma=0.1).value.mean())

    def copy(lam: float):
        batches = (fresh(seed) for seed in range(15))
        return tuned(tones, batches, sigma=0.1, lam=lam, rate=1e-3, generator=torch.Generator().manual_seed(0))

    before = {name: weight.clone() for name, weight in tones.state_dict().items()}
    own = copy(100.0)
    assert mean_residual(own) < mean_residual(copy(0.0)) - 0.03
    assert all(torch.equal(weight, before[name]) for name, weight in tones.state_dict().items())
    assert not any(weight.requires_grad for weight in own.parameters())
    assert not own.training


@pytest.mark.parametrize(("change", "message"), [({"sigma": 0.0}, "sigma"), ({"rate": 0.0}, "rate")])
def test_refused(tones, change, message):
    texts = sentences(1, seed=0)
    batches = [Batch(Waveforms(*spoken(texts)), texts)]
    setting = {"sigma": 0.1, "lam": 1.0, "rate": 0.1} | change
    with pytest.raises(ArgumentError, match=message):
        tuned(tones, batches, **setting, generator=torch.Generator())
