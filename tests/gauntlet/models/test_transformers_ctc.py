import json

import pytest
import torch

from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.recognizer import Recognizer
from gauntlet.models.transformers_ctc import TransformersCtc
from gauntlet.readers.transformers_ctc import read_transformers_ctc
from tests.fixtures.backbones import VOCABULARY, write_backbone


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([4000, 1600])
    waveform = 0.1 * torch.randn(2, 4000, generator=torch.Generator().manual_seed(0)) + 0.05
    return waveform * (torch.arange(4000) < lengths[:, None]), lengths


# WavLM's own attention hands torch masks of two types.
@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
@pytest.mark.parametrize(
    ("name", "norm"), [("Wav2Vec2", "group"), ("Wav2Vec2", "layer"), ("Hubert", "group"), ("WavLM", "layer")]
)
def test_halves_make_the_whole_model(tmp_path, name, norm):
    theirs = write_backbone(tmp_path, name=name, norm=norm)
    model = read_transformers_ctc(tmp_path)
    assert isinstance(model, Recognizer)
    waveform, lengths = batch()
    with torch.no_grad():
        log_probs = model(waveform, lengths)
        for row, length in enumerate(lengths.tolist()):
            one = waveform[row, :length]
            one = (one - one.mean()) / (one.var(correction=0) + 1e-7).sqrt()
            scores = theirs(one[None]).logits[0]
            columns = [0, *(VOCABULARY["|" if letter == " " else letter.upper()] for letter in model.symbols)]
            wanted = scores[:, columns].log_softmax(dim=-1)
            assert torch.allclose(log_probs[row, : len(wanted)], wanted, atol=1e-4)
            assert int(model.features(waveform, lengths).frames[row]) == len(wanted)
    assert len(model.transcribe(waveform, lengths)) == 2


def test_gradients_reach_the_waveform_but_not_the_convolutions(tmp_path):
    write_backbone(tmp_path)
    model = read_transformers_ctc(tmp_path)
    waveform, lengths = batch()
    waveform.requires_grad_()
    model.waveform_loss(waveform, lengths, ["ab", "c"]).sum().backward()
    assert (waveform.grad.abs().amax(dim=1) > 0).all()
    assert (waveform.grad[1, 1600:] == 0).all()
    assert all(weight.grad is None for weight in model.front.parameters())
    assert model.body.head.weight.grad is not None


def test_bad_folders_and_columns(tmp_path):
    with pytest.raises(DataError, match=r"vocab\.json must exist"):
        read_transformers_ctc(tmp_path)
    theirs = write_backbone(tmp_path)
    with pytest.raises(ArgumentError, match=r"columns must lie in 0\.\.29; got 30"):
        TransformersCtc(theirs, columns={"a": 30}, blank=0, normalized=False)
    with pytest.raises(ArgumentError, match="built as wav2vec"):
        TransformersCtc(torch.nn.Linear(1, 1), columns={"a": 1}, blank=0, normalized=False)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(DataError, match="must hold a CTC model"):
        read_transformers_ctc(tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps({"<pad>": 0, "A": 1}))
    with pytest.raises(DataError, match="'b' is missing"):
        read_transformers_ctc(tmp_path)
