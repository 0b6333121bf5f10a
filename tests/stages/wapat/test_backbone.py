"""From a CTC model of the user's to WAPAT's score and TransAudio's clips: every stage takes it as it takes Whisper."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from gauntlet.errors import DataError
from gauntlet.readers.trained_recognizers import read_recognizer
from stages.machine import Machine
from stages.transaudio import attack
from stages.transaudio import score as heard
from stages.wapat import pretrain, score, train
from tests.fixtures.backbones import write_backbone
from tests.fixtures.tones import write_speech_c
from tests.gauntlet.tiny_ctc import sentences
from tests.stages.transaudio.conftest import ATTACK, SCORE
from tests.stages.wapat.test_score import NOISES, PARAMS
from tests.stages.wapat.test_train import PRETRAIN, TRAIN, write_corpora

OWN = {"folder": "mine"}
FRESH = OWN | {"fresh_head": True}


@pytest.fixture(scope="module", autouse=True)
def one_core():
    with pytest.MonkeyPatch.context() as patch:
        for module in ("stages.machine", "stages.checkpoint", "stages.wapat.training"):
            patch.setattr(f"{module}.machine", lambda: Machine("cpu", 1, 1))
        yield


@pytest.fixture
def places(tmp_path, monkeypatch) -> dict[str, Path]:
    """Return inputs of the stages, and a backbone; no Whisper is there."""
    monkeypatch.chdir(tmp_path)
    write_backbone(tmp_path / "wav2vec2")
    (tmp_path / "folders.json").write_text(json.dumps({"mine": {"path": str(tmp_path / "wav2vec2")}}))
    (tmp_path / "whisper").mkdir()
    return {"corpora": write_corpora(tmp_path / "speech"), "whisper": tmp_path / "whisper"}


def begun(places: dict[str, Path], tmp_path: Path, **changes: object) -> Path:
    params = pretrain.Params.model_validate(PRETRAIN | {"backbone": OWN} | changes)
    pretrain.run(params, **places, folders=tmp_path / "folders.json", model=tmp_path / "start")
    return tmp_path / "start"


def test_a_backbone_goes_all_the_way(places, tmp_path):
    front = load_file(tmp_path / "wav2vec2" / "model.safetensors")
    start = begun(places, tmp_path)
    shutil.rmtree(tmp_path / "wav2vec2")
    models = tmp_path / "models"
    for name in ("plain", "wapat"):
        params = train.Params.model_validate(TRAIN | {"method": name, "epochs": 2})
        train.run(params, variant=name, **places, start=start, model=models / name)
    first, last = (read_recognizer(folder, whisper=places["whisper"]) for folder in (start, models / "wapat"))
    for name, tensor in last.front.state_dict().items():
        assert torch.equal(tensor, front[f"wav2vec2.feature_{name}"])
    moved = [name for name, tensor in last.body.state_dict().items() if (tensor != first.body.state_dict()[name]).any()]
    assert "encoder.layers.0.attention.q_proj.weight" in moved
    about = json.loads((models / "wapat" / "model.json").read_text())
    assert (about["architecture"], about["backbone"], about["method"]) == ("transformers_ctc", "mine", "wapat")
    assert "whisper" not in about
    assert sorted(path.name for path in (models / "wapat").iterdir()) == [
        "front.safetensors",
        "history.json",
        "model.json",
        "model.safetensors",
    ]

    said = {f"prompts-test-{place}": text for place, text in enumerate(sentences(4, seed=2, words=2))}
    write_speech_c(tmp_path / "speech_c", said, noises=NOISES)
    params = score.Params(**(PARAMS | {"variants": ["plain", "wapat"], "reference": 0}))
    score.run(params, **places, corrupted=tmp_path / "speech_c", models=models, scores=tmp_path / "scores")
    results = json.loads((tmp_path / "scores" / "wapat.json").read_text())["results"]
    assert results["clean"]["wer"]["n"] == 8
    assert [row["left_out"] for row in results["feature_pgd"]] == [0, 0]

    params = attack.Params(
        **ATTACK
        | {"surrogates": ["plain", "wapat"], "utterances": 1, "replacements": ["bed"]}
        | {"settings": {"ensemble": {"surrogates": 2}, "tuned": {"score_match": "surrogate_ft"}}}
    )
    attack.run(params, **places, models=models, attacked=tmp_path / "attacked")
    params = heard.Params(**SCORE | {"victims": {"plain": None, "wapat": None}})
    heard.run(
        params,
        attacked=tmp_path / "attacked",
        whisper=places["whisper"],
        models=models,
        scores=tmp_path / "heard",
    )
    assert sorted(path.name for path in (tmp_path / "heard").iterdir()) == [
        "ensemble.json",
        "transcripts.csv",
        "tuned.json",
    ]


def test_no_epochs_take_the_backbone_with_its_own_head_or_with_a_fresh_one(places, tmp_path):
    own = read_recognizer(begun(places, tmp_path, epochs=0), whisper=places["whisper"])
    theirs = load_file(tmp_path / "wav2vec2" / "model.safetensors")
    assert torch.equal(own.body.head.weight[0], theirs["lm_head.weight"][0])
    assert torch.equal(own.body.head.weight[1], theirs["lm_head.weight"][4])
    shutil.rmtree(tmp_path / "start")
    fresh = read_recognizer(
        begun(places, tmp_path, epochs=0, backbone=FRESH, symbols="phonemes"), whisper=places["whisper"]
    )
    assert len(fresh.symbols) == 6
    assert fresh.body.head.weight.shape == (7, 16)


def test_a_backbone_that_is_not_there_or_cannot_write_phonemes(places, tmp_path):
    with pytest.raises(DataError, match="must hold 'yours'; it has mine"):
        begun(places, tmp_path, backbone={"folder": "yours"})
    with pytest.raises((ValidationError, ValueError), match="fresh_head must be true with symbols: phonemes"):
        begun(places, tmp_path, symbols="phonemes")
