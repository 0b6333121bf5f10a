"""Attacks on recognisers: the exact optimum of a linear loss, then a recogniser of tones."""

import math

import pytest
import torch

from gauntlet.attacks.features import ascend, feature_pgd, feature_scale, snr_db, waveform_pgd
from gauntlet.errors import ArgumentError
from gauntlet.metrics.recognition import word_errors
from gauntlet.models.recognizer import Features
from tests.gauntlet.tiny_ctc import sentences, spoken, trained_tiny_ctc

TEXTS = sentences(12, seed=77)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Linear:
    """Its loss is a scalar product with fixed weights, of features and of waveforms alike; padding counts too."""

    def __init__(self, weights: torch.Tensor) -> None:
        self.weights = weights

    def from_features(self, features: Features) -> torch.Tensor:
        return features.values

    def loss(self, log_probs, frames, texts) -> torch.Tensor:
        return (self.weights * log_probs).flatten(1).sum(1)

    def waveform_loss(self, waveform, lengths, texts) -> torch.Tensor:
        return self.loss(waveform, lengths, texts)


@pytest.fixture(scope="module")
def tiny():
    return trained_tiny_ctc()


@pytest.fixture(scope="module")
def heard(tiny):
    waveform, lengths = spoken(TEXTS, seed=1)
    return waveform, lengths, tiny.features(waveform, lengths)


@pytest.mark.parametrize("random_start", [False, True])
def test_features_of_a_linear_loss_reach_the_corner_of_the_ball(random_start):
    weights = torch.randn(2, 5, 3, generator=dice())
    features = Features(torch.randn(2, 5, 3, generator=dice(1)), torch.tensor([5, 2]))
    delta = feature_pgd(
        Linear(weights),
        features,
        ["a", "b"],
        eps=torch.tensor([0.3, 0.7]),
        alpha=0.2,
        steps=8,
        random_start=random_start,
        generator=dice(),
    )
    best = torch.tensor([0.3, 0.7])[:, None, None] * weights.sign() * features.mask[..., None]
    torch.testing.assert_close(delta, best)


def test_waveforms_of_a_linear_loss_reach_the_corner_of_ball_and_range():
    weights = torch.tensor([[1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, 1.0, 1.0]])
    waveform = torch.tensor([[0.95, 0.5, -1.0, 0.0], [-0.95, 0.0, 0.0, 0.0]])
    delta = waveform_pgd(
        Linear(weights),
        waveform,
        torch.tensor([3, 2]),
        texts=["a", "b"],
        eps=0.1,
        alpha=0.05,
        steps=5,
        generator=dice(),
    )
    torch.testing.assert_close(waveform + delta, torch.tensor([[1.0, 0.4, -0.9, 0.0], [-1.0, 0.1, 0.0, 0.0]]))


def test_one_step_moves_by_alpha():
    delta = ascend(torch.zeros(2, 2), torch.tensor([[3.0, -0.1], [0.0, 9.0]]), alpha=torch.tensor([0.1, 5.0]), eps=1.0)
    torch.testing.assert_close(delta, torch.tensor([[0.1, -0.1], [0.0, 1.0]]))


def test_feature_attack_harms_a_recognizer(tiny, heard):
    _, _, features = heard
    scale = feature_scale(features)
    delta = feature_pgd(tiny, features, TEXTS, eps=0.5 * scale, alpha=0.1 * scale, steps=10, generator=dice())
    assert (delta.abs().amax((1, 2)) <= 0.5 * scale + 1e-6).all()
    assert not delta[~features.mask].any()
    clean, attacked = (tiny.from_features(each) for each in (features, features.of(features.values + delta)))
    losses = [tiny.loss(each, features.frames, TEXTS) for each in (clean, attacked)]
    assert (losses[1] > losses[0]).all()
    wer = [word_errors(TEXTS, tiny.text_from(each, features.frames)).rate for each in (clean, attacked)]
    assert wer[0] < 0.1
    assert wer[1] > wer[0] + 0.2


def test_waveform_attack_harms_a_recognizer(tiny, heard):
    waveform, lengths, _ = heard
    delta = waveform_pgd(tiny, waveform, lengths, texts=TEXTS, eps=0.05, alpha=0.0125, steps=10, generator=dice())
    attacked = waveform + delta
    assert delta.abs().max() <= 0.05 + 1e-6
    assert attacked.abs().max() <= 1 + 1e-6
    assert all(not row[length:].any() for row, length in zip(delta, lengths, strict=True))
    noisy = (waveform + 0.05 * torch.randn(waveform.shape, generator=dice()).sign()).clamp(-1, 1)
    wer = [word_errors(TEXTS, tiny.transcribe(each, lengths)).rate for each in (waveform, noisy, attacked)]
    assert wer[2] > wer[1] + 0.2, wer


def test_more_steps_find_more(tiny, heard):
    _, _, features = heard
    scale = feature_scale(features)
    losses = []
    for steps in (1, 10):
        delta = feature_pgd(tiny, features, TEXTS, eps=0.2 * scale, alpha=0.05 * scale, steps=steps, generator=dice())
        losses.append(
            tiny.loss(tiny.from_features(features.of(features.values + delta)), features.frames, TEXTS).mean()
        )
    assert losses[1] > losses[0]


def test_nothing_changes_at_eps_0_and_no_weight_gets_a_gradient(tiny, heard):
    waveform, lengths, features = heard
    settings = {"eps": 0.0, "alpha": 0.1, "steps": 2, "generator": dice()}
    tiny.head.weight.requires_grad_(True).grad = None
    try:
        assert not feature_pgd(tiny, features, TEXTS, **settings).any()
        assert not waveform_pgd(tiny, waveform, lengths, texts=TEXTS, **settings).any()
        assert tiny.head.weight.grad is None
    finally:
        tiny.head.weight.requires_grad_(False)
    assert not features.values.requires_grad


def test_the_seed_decides(tiny, heard):
    _, _, features = heard
    first, again, other = (
        feature_pgd(tiny, features, TEXTS, eps=0.1, alpha=0.1, steps=1, generator=dice(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_scale_is_the_deviation_of_an_utterance_s_own_frames():
    values = torch.randn(2, 6, 4, generator=dice()) * torch.tensor([1.0, 5.0])[:, None, None] + 3
    values[1, 2:] = torch.nan
    found = feature_scale(Features(values, torch.tensor([6, 2])))
    torch.testing.assert_close(found[0], values[0].std(correction=0))
    torch.testing.assert_close(found[1], values[1, :2].std(correction=0))


def test_snr_by_hand():
    waveform = torch.tensor([[3.0, 4.0, 0.0], [1.0, 0.0, 0.0]])
    attacked = torch.tensor([[3.0, 4.5, 0.0], [1.0, 0.0, 0.0]])
    assert snr_db(waveform, attacked).tolist() == [pytest.approx(20), math.inf]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"eps": -0.1}, "eps must be a number of at least 0; got -0.1"),
        ({"eps": math.nan}, "eps must be a number"),
        ({"alpha": -1.0}, "alpha must be a number of at least 0; got -1"),
        ({"steps": 0}, "steps must be at least 1; got 0"),
        ({"generator": None}, "generator must be given"),
    ],
)
def test_bad_settings_are_refused(tiny, heard, change, said):
    waveform, lengths, features = heard
    settings = {"eps": 0.1, "alpha": 0.1, "steps": 1, "generator": dice()} | change
    with pytest.raises(ArgumentError, match=said):
        feature_pgd(tiny, features, TEXTS, **settings)
    with pytest.raises(ArgumentError, match=said):
        waveform_pgd(tiny, waveform, lengths, texts=TEXTS, **settings)


def test_a_radius_in_sample_values_is_refused(tiny, heard):
    waveform, lengths, _ = heard
    with pytest.raises(ArgumentError, match="not 65"):
        waveform_pgd(tiny, waveform, lengths, texts=TEXTS, eps=65.0, alpha=1.0, steps=1, generator=dice())


def test_a_text_longer_than_its_frames_is_refused(tiny, heard):
    waveform, lengths, features = heard
    texts = [*TEXTS[:3], "abc" * 200, *TEXTS[4:]]
    with pytest.raises(ArgumentError, match="must fit its frames"):
        feature_pgd(tiny, features, texts, eps=0.1, alpha=0.1, steps=1, generator=dice())
    with pytest.raises(ArgumentError, match="must fit its frames"):
        waveform_pgd(tiny, waveform, lengths, texts=texts, eps=0.1, alpha=0.1, steps=1, generator=dice())


def test_a_loss_without_a_slope_is_named():
    waveform = torch.zeros(2, 3)
    weights = torch.tensor([[1.0, 1, 1], [1, torch.nan, 1]])
    with pytest.raises(ArgumentError, match="got nan for utterance 1"):
        waveform_pgd(
            Linear(weights),
            waveform,
            torch.tensor([3, 3]),
            texts=["a", "b"],
            eps=0.1,
            alpha=0.1,
            steps=1,
            generator=dice(),
        )
