"""CTC models of transformers: their own head or a fresh one, and the way back from what was trained."""

import pytest
import torch
from safetensors.torch import save_file

from gauntlet.errors import DataError
from gauntlet.models.alphabet import LETTERS
from gauntlet.models.ctc import equal_fronts
from gauntlet.readers.trained_recognizers import read_recognizer
from gauntlet.readers.transformers_ctc import FRONT, read_transformers_ctc
from stages.training import write_model
from tests.fixtures.backbones import write_backbone


def waves() -> tuple[torch.Tensor, torch.Tensor]:
    return 0.1 * torch.randn(2, 4000, generator=torch.Generator().manual_seed(0)), torch.tensor([4000, 4000])


def answer(model) -> torch.Tensor:
    with torch.no_grad():
        return model(*waves())


@pytest.mark.parametrize("kind", ["ForCTC", "Model"])
def test_a_fresh_head_has_our_symbols_and_the_seeds_weights(tmp_path, kind):
    theirs = write_backbone(tmp_path, kind=kind)
    before = torch.get_rng_state()
    first, again, other = (
        read_transformers_ctc(tmp_path, symbols=("p", "əʊ"), fresh_head=True, seed=seed) for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert first.symbols == ("p", "əʊ")
    assert answer(first).shape == (2, 25, 3)
    assert torch.equal(answer(first), answer(again))
    assert not torch.equal(answer(first), answer(other))
    base = getattr(theirs, "wav2vec2", theirs)
    for name, tensor in base.encoder.state_dict().items():
        assert torch.equal(tensor, first.body.encoder.state_dict()[name])


def test_a_model_without_a_head_says_so(tmp_path):
    write_backbone(tmp_path / "headless", kind="Model")
    write_backbone(tmp_path / "whole")
    (tmp_path / "headless" / "vocab.json").write_bytes((tmp_path / "whole" / "vocab.json").read_bytes())
    with pytest.raises(DataError, match=r"lm_head\.bias is missing; a model without a head \(fresh_head: true\)"):
        read_transformers_ctc(tmp_path / "headless")


# WavLM's own attention hands torch masks of two types.
@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
@pytest.mark.parametrize(("name", "norm"), [("Wav2Vec2", "group"), ("Hubert", "layer"), ("WavLM", "layer")])
def test_what_was_trained_needs_no_other_folder(tmp_path, name, norm):
    write_backbone(tmp_path / "backbone", name=name, norm=norm)
    model = read_transformers_ctc(tmp_path / "backbone")
    with torch.no_grad():
        model.body.head.bias += torch.arange(29)
    folder = tmp_path / "model"
    write_model(
        folder,
        model.body,
        architecture=model.architecture,
        classes=list(LETTERS),
        settings=model.settings,
        about={},
        history=[],
    )
    with pytest.raises(DataError, match=r"front\.safetensors must exist"):
        read_recognizer(folder, whisper=tmp_path / "none")
    save_file(model.front.state_dict(), folder / FRONT)
    back = read_recognizer(folder, whisper=tmp_path / "none")
    assert not back.training
    assert back.settings == model.settings
    assert torch.equal(answer(back), answer(model))
    assert equal_fronts(back, model)
    back.front.settings = ()
    assert not equal_fronts(back, model)


def test_weights_that_do_not_fit_are_named(tmp_path):
    write_backbone(tmp_path / "backbone")
    model = read_transformers_ctc(tmp_path / "backbone")
    folder = tmp_path / "model"
    write_model(
        folder,
        model.body,
        architecture=model.architecture,
        classes=["a", "b"],
        settings=model.settings,
        about={},
        history=[],
    )
    save_file(model.front.state_dict(), folder / FRONT)
    with pytest.raises(DataError, match=r"must fit its own model\.json; .*size mismatch for head"):
        read_recognizer(folder, whisper=tmp_path / "none")
