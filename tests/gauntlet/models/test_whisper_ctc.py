import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.log_mel import log_mel
from gauntlet.models.recognizer import Recognizer
from gauntlet.models.whisper_ctc import WhisperCtc
from gauntlet.models.whisper_encoder import EncoderShape
from gauntlet.readers.recognizers import read_encoder, whisper_ctc
from tests.fixtures.whisper import tiny_whisper

TEXTS = ["open it", "no", "press one"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_whisper(tmp_path_factory.mktemp("whisper"))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([30_000, 9001, 20_000])
    waveform = 0.1 * torch.randn(3, 30_000, generator=torch.Generator().manual_seed(0))
    return waveform * (torch.arange(30_000) < lengths[:, None]), lengths


@torch.no_grad()
def test_body_on_front_equals_the_encoder_of_transformers(folder):
    """On an utterance as long as the position table: nothing is padded, nothing is masked."""
    from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

    theirs = WhisperForConditionalGeneration.from_pretrained(folder).model.encoder.eval()
    waveform = torch.randn(1, 48_000, generator=torch.Generator().manual_seed(1))
    waveform[:, -800:] = 0
    # The convolutions of theirs see zeros after the last frame, ours silence: at this loudness silence is zero.
    peak = log_mel(waveform, torch.tensor([48_000])).values.max() * 4 - 4
    waveform *= 10 ** ((4 - peak) / 2)
    mel = WhisperFeatureExtractor(chunk_length=3)(waveform[0].numpy(), sampling_rate=16_000, return_tensors="pt")
    wanted = theirs(mel.input_features).last_hidden_state
    for frozen_layers in (0, 1, 2):
        model = whisper_ctc(folder, frozen_layers=frozen_layers)
        features = model.features(waveform, torch.tensor([48_000]))
        x = features.values
        for layer in model.body.layers:
            x = layer(x, features.mask)
        assert torch.allclose(model.body.layer_norm(x), wanted, atol=2e-4)


@torch.no_grad()
@pytest.mark.parametrize("frozen_layers", [0, 1, 2])
def test_neighbours_and_padding_change_nothing(folder, frozen_layers):
    model = whisper_ctc(folder, frozen_layers=frozen_layers)
    waveform, lengths = batch()
    together = model(waveform, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = model(waveform[row : row + 1, :length], lengths[row : row + 1])[0]
        assert alone.shape == (-(-length // 320), 29)
        assert torch.allclose(together[row, : len(alone)], alone, atol=1e-5)


@torch.no_grad()
def test_values_on_the_padding_mean_nothing(folder):
    model = whisper_ctc(folder, frozen_layers=1)
    waveform, lengths = batch()
    features = model.features(waveform, lengths)
    other = features.of(features.values.masked_fill(~features.mask[..., None], 7.0))
    mask = features.mask
    assert torch.allclose(model.from_features(features)[mask], model.from_features(other)[mask], atol=1e-6)
    assert model.text_from(model.from_features(other), other.frames) == model.transcribe(waveform, lengths)


def test_layers_are_the_same_wherever_the_cut(folder):
    waveform, lengths = batch()
    cuts = [whisper_ctc(folder, frozen_layers=count, seed=3) for count in (0, 1, 2)]
    losses = [model.waveform_loss(waveform, lengths, TEXTS) for model in cuts]
    assert torch.allclose(losses[0], losses[1], atol=1e-5)
    assert torch.allclose(losses[0], losses[2], atol=1e-5)


def test_gradients_reach_the_waveform_and_the_body_but_not_the_front(folder):
    model = whisper_ctc(folder, frozen_layers=1)
    waveform, lengths = batch()
    waveform.requires_grad_()
    model.waveform_loss(waveform, lengths, TEXTS).mean().backward()
    assert (waveform.grad.abs().amax(dim=1) > 0).all()
    assert (waveform.grad[1, 9001:] == 0).all()
    assert all(weight.grad is not None for weight in model.body.parameters())
    assert all(weight.grad is None for weight in model.front.parameters())
    assert sorted(name.partition(".")[0] for name in model.state_dict() if "layers" not in name)[0] == "body"


def test_dropout_acts_in_training_alone(folder):
    model = whisper_ctc(folder, frozen_layers=1, dropout=0.5)
    waveform, lengths = batch()
    still = model(waveform, lengths)
    assert torch.equal(model(waveform, lengths), still)
    model.train()
    assert not torch.equal(model(waveform, lengths), still)
    texts = model.transcribe(waveform, lengths)
    assert model.training
    assert texts == model.eval().transcribe(waveform, lengths)


def test_phonemes_and_the_random_head(folder):
    first, second = (whisper_ctc(folder, frozen_layers=2, symbols=("p", "əʊ"), seed=seed) for seed in (0, 1))
    assert first.body.head.weight.shape == (3, 24)
    assert not torch.equal(first.body.head.weight, second.body.head.weight)
    assert isinstance(first, Recognizer)
    assert first.symbols == ("p", "əʊ")


def test_bad_arguments(folder):
    shape = read_encoder(folder).shape
    assert shape == EncoderShape(width=24, heads=2, hidden=32, layers=2, positions=150)
    with pytest.raises(ArgumentError, match=r"frozen_layers must lie in 0\.\.2; got 3"):
        WhisperCtc(shape, frozen_layers=3)
    with pytest.raises(ArgumentError, match="dropout must lie in"):
        WhisperCtc(shape, frozen_layers=1, dropout=1)
    with pytest.raises(ArgumentError, match="must last"):
        whisper_ctc(folder, frozen_layers=0).features(torch.zeros(1, 48_400), torch.tensor([48_400]))
