import numpy as np
import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.log_mel import log_mel, mel_filters
from gauntlet.waveforms import padded


def noise(samples: int, *, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("samples", [1, 150, 399, 16_000, 40_123])
def test_equals_the_extractor_of_transformers(samples, mels):
    from transformers import WhisperFeatureExtractor

    waveform = noise(samples)
    extracted = WhisperFeatureExtractor(feature_size=mels)(waveform[0].numpy(), sampling_rate=16_000)
    ours = log_mel(waveform, torch.tensor([samples]), size=3000, mels=mels)
    assert np.abs(ours.values[0].numpy() - extracted["input_features"][0]).max() < 1e-4
    assert int(ours.frames) == -(-samples // 160)


def test_filters_equal_those_of_transformers():
    from transformers.audio_utils import mel_filter_bank

    theirs = mel_filter_bank(201, 80, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
    assert np.abs(mel_filters(80) - theirs.T).max() < 1e-6


def test_neither_neighbours_nor_padding_change_an_utterance():
    long, short = noise(9000), noise(4000, seed=1) * 0.01
    both = log_mel(*padded([long[0], short[0]]))
    alone = log_mel(short, torch.tensor([4000]))
    dirty = torch.cat([short, torch.ones(1, 5000)], dim=1)
    assert torch.allclose(both.values[1, :, :25], alone.values[0, :, :25], atol=1e-5)
    assert torch.equal(log_mel(dirty, torch.tensor([4000])).values[0, :, :25], both.values[1, :, :25])


def test_gradient_stays_within_the_utterance_and_is_right():
    waveform = noise(900).double().requires_grad_()
    lengths = torch.tensor([700])

    def measured(x: torch.Tensor) -> torch.Tensor:
        return log_mel(x, lengths).values[:, ::20].sum()

    (gradient,) = torch.autograd.grad(measured(waveform), waveform)
    assert (gradient[0, 700:] == 0).all()
    step = torch.zeros_like(waveform)
    step[0, 333] = 1e-5
    slope = (measured(waveform + step) - measured(waveform - step)) / 2e-5
    assert torch.isclose(slope, gradient[0, 333], rtol=1e-2)


def test_silence_has_a_finite_gradient():
    waveform = torch.zeros(1, 800, requires_grad=True)
    log_mel(waveform, torch.tensor([800])).values.sum().backward()
    assert waveform.grad.isfinite().all()


def test_bad_shapes():
    with pytest.raises(ArgumentError, match="waveform must be B x T"):
        log_mel(torch.zeros(100), torch.tensor([100]))
    with pytest.raises(ArgumentError, match="longer than 30 s"):
        log_mel(torch.zeros(1, 500_000), torch.tensor([500_000]), size=3000)
