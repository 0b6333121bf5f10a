"""Each method: what it is at no radius, what it trains, what it costs, what it hides; settings that mean nothing."""

from dataclasses import fields

import pytest
import torch

from gauntlet.attacks.features import feature_scale
from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import Features
from gauntlet.shifts.waveform_arguments import Shifted
from gauntlet.training.wapat import methods
from gauntlet.training.wapat.adversary import Release
from gauntlet.training.wapat.methods import METHODS, Batch, Setting, front, hide
from tests.gauntlet.tiny_ctc import TinyCtc, sentences, spoken

OFF = {
    "plain": {},
    "specaugment": {"masked_frames": 0, "masked_channels": 0},
    "waveform_at": {"waveform_eps": 0.0},
    "pat": {"eps": 0.0},
    "wapat": {"eps": 0.0},
}
PASSES = {"plain": 1, "specaugment": 1, "wavaugment": 1, "waveform_at": 2, "pat": 2, "wapat": 4.5}


@pytest.fixture
def batch():
    texts = sentences(6, seed=3)
    return Batch(*spoken(texts), texts)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def taken(method, batch, *, model=None, **settings):
    """Return the loss and the gradients of a recogniser's weights."""
    model = model or TinyCtc(seed=1).train()
    loss = METHODS[method](model, batch, Setting(**settings), generator=chance())
    loss.value.backward()
    return loss, {name: weight.grad for name, weight in model.named_parameters()}


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("method", OFF)
def test_without_a_change_every_method_is_plain_training_to_the_bit(batch, method, share):
    plain, expected = taken("plain", batch)
    loss, got = taken(method, batch, clean_share=share, **OFF[method])
    assert torch.equal(loss.value, plain.value)
    assert torch.equal(loss.changed, plain.value)
    for name, gradient in expected.items():
        assert (gradient is None) == (got[name] is None)
        assert gradient is None or torch.equal(gradient, got[name])


@pytest.mark.parametrize("method", METHODS)
def test_the_body_trains_and_the_front_never(batch, method):
    model = TinyCtc(seed=1).train()
    loss, gradients = taken(method, batch, model=model, waveform_eps=0.01)
    assert loss.value.isfinite()
    assert not loss.changed.requires_grad
    assert {name for name, gradient in gradients.items() if gradient is None} == {"front.weight", "front.bias"}
    assert all(gradient.abs().max() > 0 for gradient in gradients.values() if gradient is not None)
    assert all(part.training for part in model.modules())


@pytest.mark.parametrize("method", METHODS)
def test_passes_are_counted(batch, method):
    counted = {"forward": 0, "backward": 0}
    model = TinyCtc()

    def forward(module, inputs, output):
        counted["forward"] += 1
        if output.requires_grad:
            output.register_hook(lambda _: counted.update(backward=counted["backward"] + 1))

    model.head.register_forward_hook(forward)
    loss, _ = taken(method, batch, model=model)
    assert loss.passes == PASSES[method] == sum(counted.values()) / 2
    mixed, _ = taken(method, batch, clean_share=0.5)
    assert mixed.passes == PASSES[method] + (method != "plain")


@pytest.mark.parametrize("method", ["waveform_at", "pat", "wapat"])
def test_the_adversarial_loss_is_above_the_plain_one(batch, method):
    model = TinyCtc(seed=1)
    plain, _ = taken("plain", batch, model=model)
    loss, _ = taken(method, batch, model=model, eps=0.3, waveform_eps=0.02)
    assert loss.value > plain.value
    mixed, _ = taken(method, batch, model=model, eps=0.3, waveform_eps=0.02, clean_share=0.25)
    assert mixed.value.item() == pytest.approx(0.75 * loss.value.item() + 0.25 * plain.value.item())
    assert torch.equal(mixed.changed, loss.value.detach())


def test_the_radius_is_a_share_of_each_utterances_own_scale(batch, monkeypatch):
    seen = {}

    def perturb(recognizer, features, texts, **settings):
        seen.update(settings)
        return torch.zeros_like(features.values), 0

    monkeypatch.setattr(methods, "perturb", perturb)
    model = TinyCtc()
    scale = feature_scale(front(model, batch, "float32"))
    release = Release(clamped=True)
    taken("pat", batch, model=model, eps=0.2, steps=3, adversary_precision="bfloat16", release=release)
    assert torch.equal(seen["eps"], 0.2 * scale)
    assert torch.equal(seen["alpha"], 0.2 * scale)
    assert (seen["steps"], seen["precision"], seen["release"], seen["guidance"]) == (3, "bfloat16", release, None)
    taken("wapat", batch, model=model, eps=0.2, alpha=0.05)
    assert torch.equal(seen["alpha"], 0.05 * scale)
    assert seen["guidance"].values.shape == (6, *seen["guidance"].mask.shape[1:], 32)


def test_twins_of_other_lengths_are_counted(batch, monkeypatch):
    monkeypatch.setattr(methods, "augment", lambda x, lengths, generator: Shifted(x[:, :-3200], lengths - 3200))
    assert taken("wapat", batch)[0].unguided == 6


def test_remembered_features_stand_for_the_front(batch):
    model = TinyCtc(seed=1)
    features = front(model, batch, "float32")
    plain, _ = taken("plain", batch, model=model)
    silent = batch._replace(waveform=torch.zeros_like(batch.waveform), features=features)
    assert torch.equal(taken("plain", silent, model=model)[0].value, plain.value)
    assert not torch.equal(taken("waveform_at", silent, model=model)[0].value, plain.value)  # it changes the waveform


def test_what_is_hidden_has_the_utterances_mean():
    values = torch.randn(3, 40, 32, generator=chance(1))
    features = Features(values, torch.tensor([40, 25, 10]))
    setting = Setting(masked_frames=1, masked_frames_share=0.5, masked_channels=0)
    for seed in range(20):
        hidden = hide(features, setting, chance(seed)).values
        for row, frames in enumerate(features.frames.tolist()):
            gone = (hidden[row] != values[row]).any(1)
            places = gone.nonzero().flatten()
            assert len(places) <= frames / 2
            if len(places):
                assert places.tolist() == list(range(int(places[0]), int(places[-1]) + 1))
                assert places[-1] < frames
            mean = values[row, :frames].mean(0)
            torch.testing.assert_close(hidden[row, gone], mean.expand(len(places), -1))
    channels = hide(features, Setting(masked_frames=0, masked_channels=2, masked_channels_share=0.5), chance()).values
    whole = (channels != values).all(1) | (channels == values).all(1)
    assert whole.all()
    assert (channels != values).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eps": -0.1}, "eps must be at least 0; got -0.1"),
        ({"alpha": float("nan")}, "alpha must be at least 0; got nan"),
        ({"clean_share": 50}, "clean_share must lie in [0, 1]; got 50; a percentage?"),
        ({"steps": 0}, "steps must be at least 1; got 0; eps 0 turns the adversary off"),
        ({"precision": "half"}, "precision must be one of float32, bfloat16; got 'half'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_mean_nothing_are_refused(change, message):
    with pytest.raises(ArgumentError) as refused:
        Setting(**change)
    assert str(refused.value) == message


def test_the_releases_differences_are_off():
    assert not any(getattr(Setting().release, field.name) for field in fields(Release))
