"""Whisper on random weights, beside transformers' own, and on batches."""

import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.black_box import BlackBox
from gauntlet.models.log_mel import log_mel
from gauntlet.models.recognizer import Transcriber
from gauntlet.models.whisper import Whisper
from gauntlet.models.whisper_decoder import Cache
from gauntlet.readers.recognizers import read_whisper
from tests.fixtures.whisper import tiny_whisper

TEXTS = ["ab c", "c", "b a b"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture
def whisper(folder) -> Whisper:
    return read_whisper(folder, near=5, stride=4)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([30_000, 9001, 20_000])
    waveform = 0.1 * torch.randn(3, 30_000, generator=torch.Generator().manual_seed(0))
    return waveform * (torch.arange(30_000) < lengths[:, None]), lengths


def theirs(folder):
    from transformers import WhisperForConditionalGeneration

    return WhisperForConditionalGeneration.from_pretrained(folder).eval()


@torch.no_grad()
def test_with_all_silence_kept_it_equals_transformers(folder):
    from transformers import WhisperFeatureExtractor

    whisper, model = read_whisper(folder, stride=1), theirs(folder)
    waveform, lengths = batch()
    # The convolutions of theirs see zeros after 30 s, ours go on with silence: at this loudness silence is zero.
    peak = log_mel(waveform, lengths).values.amax(dim=(1, 2)) * 4 - 4
    waveform = waveform * 10 ** ((4 - peak[:, None]) / 2)
    extractor = WhisperFeatureExtractor(chunk_length=3)
    rows = [row[:length].numpy() for row, length in zip(waveform, lengths.tolist(), strict=True)]
    mel = extractor(rows, sampling_rate=16_000, return_tensors="pt").input_features
    heard = whisper.heard(waveform, lengths)
    encoded = model.model.encoder(mel).last_hidden_state
    assert heard.values.shape == encoded.shape
    assert torch.allclose(heard.values, encoded, atol=2e-4)
    tokens = torch.tensor([[30, 34, 4, 2]]).expand(3, -1)
    scores = model(encoder_outputs=(encoded,), decoder_input_ids=tokens).logits
    assert torch.allclose(whisper.decoder(tokens, heard), scores, atol=1e-3)


@torch.no_grad()
def test_greedy_transcription_equals_that_of_transformers(folder):
    whisper, model = read_whisper(folder, stride=1), theirs(folder)
    waveform, lengths = batch()
    heard, rules = whisper.heard(waveform, lengths), whisper.rules
    for row, text in enumerate(whisper.transcripts(waveform, lengths)):
        tokens = list(rules.prefix)
        limit = int(lengths[row]) * 12 // 16_000 + 8
        while len(tokens) - 2 < min(limit, 18) and tokens[-1] != rules.end:
            encoded = (heard.values[row : row + 1],)
            scores = model(encoder_outputs=encoded, decoder_input_ids=torch.tensor([tokens])).logits[0, -1]
            banned = [*rules.never, *range(rules.end + 1, len(scores))]
            scores[banned + (list(rules.never_first) if len(tokens) == 2 else [])] = -torch.inf
            tokens.append(int(scores.argmax()))
        assert text == whisper.tokenizer.decode([token for token in tokens[2:] if token != rules.end])


@torch.no_grad()
def test_the_others_of_a_batch_and_the_padding_change_nothing(whisper):
    waveform, lengths = batch()
    together = whisper.waveform_loss(waveform, lengths, TEXTS)
    texts = whisper.transcripts(waveform, lengths)
    for row, length in enumerate(lengths.tolist()):
        one = waveform[row : row + 1, :length], lengths[row : row + 1]
        assert torch.allclose(whisper.waveform_loss(*one, TEXTS[row : row + 1]), together[row], atol=1e-5)
        assert whisper.transcripts(*one) == texts[row : row + 1]


@torch.no_grad()
def test_thinned_silence_is_close_to_the_whole(folder):
    """The last frames of the table differ the most from their neighbours; random positions are the worst case."""
    waveform, lengths = batch()
    exact = read_whisper(folder, stride=1).heard(waveform, lengths)
    thin = read_whisper(folder, near=5, stride=2).heard(waveform, lengths)
    assert thin.values.shape[1] < exact.values.shape[1]
    assert (thin.bias.exp().sum(1) - 150).abs().max() <= 2
    assert (thin.values[0, :94] - exact.values[0, :94]).abs().mean() < 0.2 * exact.values[0, :94].abs().mean()


@torch.no_grad()
def test_cached_decoding_equals_the_whole_prefix(whisper):
    heard = whisper.heard(*batch())
    tokens = torch.tensor([[30, 34, 4, 2, 9], [30, 34, 1, 1, 1], [30, 34, 5, 6, 7]])
    cache = Cache()
    steps = [whisper.decoder(part, heard, cache=cache) for part in (tokens[:, :2], tokens[:, 2:3], tokens[:, 3:4])]
    assert torch.allclose(torch.cat(steps, dim=1), whisper.decoder(tokens[:, :4], heard), atol=1e-5)


def test_loss_is_the_mean_over_tokens_and_reaches_the_waveform(whisper):
    waveform, lengths = batch()
    waveform.requires_grad_()
    losses = whisper.waveform_loss(waveform, lengths, TEXTS)
    (gradient,) = torch.autograd.grad(losses.sum(), waveform)
    assert losses.shape == (3,)
    assert (gradient[1, 9001:] == 0).all()
    assert (gradient[:, :9000].abs().amax(dim=1) > 0).all()
    row = whisper.encode("c")
    assert whisper.tokenizer.decode(row[:-1]) == " C."
    heard = whisper.heard(waveform, lengths)
    scores = whisper.decoder(torch.tensor([[30, 34, *row[:-1]]] * 3), heard)[1, 1:].log_softmax(dim=-1)
    by_hand = -sum(scores[place, token] for place, token in enumerate(row)) / len(row)
    assert torch.allclose(by_hand, losses[1], atol=1e-5)
    assert not any(weight.requires_grad for weight in whisper.parameters())


def test_a_step_against_the_gradient_makes_the_text_likelier(whisper):
    waveform, lengths = batch()
    waveform.requires_grad_()
    before = whisper.waveform_loss(waveform, lengths, TEXTS)
    (gradient,) = torch.autograd.grad(before.sum(), waveform)
    after = whisper.waveform_loss(waveform.detach() - 1e-4 * gradient.sign(), lengths, TEXTS)
    assert (after < before).all()


def test_bad_arguments(whisper, folder):
    assert isinstance(whisper, Transcriber)
    assert isinstance(whisper, BlackBox)
    with pytest.raises(ArgumentError, match="must last"):
        whisper.transcribe(torch.zeros(1, 48_400), torch.tensor([48_400]))
    with pytest.raises(ArgumentError, match="at least one letter"):
        whisper.encode(" ")
    with pytest.raises(ArgumentError, match="at most 20 tokens"):
        whisper.encode("ab" * 20)
    with pytest.raises(ArgumentError, match="stride at least 1"):
        read_whisper(folder, stride=0)
