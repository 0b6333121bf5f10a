"""Pre-training and training through the stages: resumed to the same bits, chosen by held-out WER, exclusions named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from pydantic import ValidationError
from safetensors.torch import load_file

from gauntlet.errors import DataError
from gauntlet.readers.models import read_card
from gauntlet.readers.trained_recognizers import read_recognizer
from gauntlet.training.wapat.methods import METHODS
from gauntlet.transcripts import NORMALIZER
from stages.__main__ import main
from stages.machine import Machine
from stages.wapat import pretrain, training
from stages.wapat import train as stage
from tests.fixtures.tones import sounds_of, write_shard
from tests.fixtures.whispers import write_whisper
from tests.gauntlet.tiny_ctc import sentences

COUNTS = {"train": 12, "held_out": 5, "test": 4}
PHONEMES = {"a": "aɪ", "b": "b", "c": "k", "d": "d", "e": "iː", "f": "f"}
FILES = ["history.json", "model.json", "model.safetensors"]
TRAIN = {
    "seed": 0,
    "domains": None,
    "utterances": None,
    "held_out": None,
    "epochs": 3,
    "batch_s": 6.0,
    "lr": 1e-3,
    "weight_decay": 0.0,
    "clip_norm": 5.0,
    "method": "wapat",
    "settings": {"eps": 0.1},
    "remember": False,
}
PRETRAIN = TRAIN | {"method": "plain", "settings": {}, "frozen_layers": 1, "dropout": 0.1, "symbols": "letters"}


@pytest.fixture(scope="module", autouse=True)
def one_core():
    with pytest.MonkeyPatch.context() as patch:
        for module in ("stages.machine", "stages.checkpoint", "stages.wapat.training"):
            patch.setattr(f"{module}.machine", lambda: Machine("cpu", 1, 1))
        yield


def write_corpora(folder: Path, *, extra: tuple[dict, ...] = (), seed: int = 0) -> Path:
    """Write two domains in tones; `extra` rows are said with the sound that they bring."""
    rows = []
    for number, (split, count) in enumerate(COUNTS.items()):
        for domain in ("prompts", "voice"):
            places = [f"{domain}-{split}-{place}" for place in range(count)]
            texts = dict(zip(places, sentences(count, seed=10 * seed + number, words=2), strict=True))
            sounds = sounds_of(texts, noise=0.01, seed=number)
            own = [row for row in extra if (row["domain"], row["split"]) == (domain, split)]
            sounds |= {row["id"]: row["sound"] for row in own}
            shard = f"{domain}-{split}-0000.tar"
            write_shard(folder / shard, sounds)
            rows += [
                {"id": key, "domain": domain, "split": split, "speaker": domain, "text": text, "shard": shard}
                | {"phonemes": phonemes, "samples": len(sounds[key])}
                for key, text, phonemes in [
                    *(
                        (key, text, [PHONEMES[letter] for letter in text if letter != " "])
                        for key, text in texts.items()
                    ),
                    *((row["id"], row["text"], row["phonemes"]) for row in own),
                ]
            ]
    pd.DataFrame(rows).to_parquet(folder / "manifest.parquet")
    return folder


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    return {"corpora": write_corpora(folder / "speech"), "whisper": write_whisper(folder / "whisper")}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    """Return a folders.json without a folder."""
    path = tmp_path_factory.mktemp("folders") / "folders.json"
    path.write_text("{}")
    return path


@pytest.fixture(scope="module")
def begun(sources, folders, tmp_path_factory) -> Path:
    """Pre-train once."""
    folder = tmp_path_factory.mktemp("begun")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        pretrain.run(pretrain.Params.model_validate(PRETRAIN), **sources, folders=folders, model=folder / "start")
    return folder / "start"


@pytest.fixture
def pretrained(sources, folders, tmp_path, monkeypatch):
    """Return a function that pre-trains; parameters and inputs may be replaced."""
    monkeypatch.chdir(tmp_path)

    def run(model: Path, *, paths: dict[str, Path] | None = None, **changes: object) -> Path:
        places = sources | {"folders": folders} | (paths or {})
        pretrain.run(pretrain.Params.model_validate(PRETRAIN | changes), **places, model=model)
        return model

    return run


@pytest.fixture
def trained(sources, begun, tmp_path, monkeypatch):
    """Return a function that trains a variant; parameters and inputs may be replaced."""
    monkeypatch.chdir(tmp_path)

    def run(model: Path, *, paths: dict[str, Path] | None = None, **changes: object) -> Path:
        params = stage.Params.model_validate(TRAIN | changes)
        stage.run(params, variant=model.name, **(sources | {"start": begun} | (paths or {})), model=model)
        return model

    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def about(folder: Path) -> dict:
    return json.loads((folder / "model.json").read_text())


def history(folder: Path) -> list[dict]:
    return json.loads((folder / "history.json").read_text())


@pytest.fixture
def told(monkeypatch):
    """Stand in for the held-out transcripts: the WER of each epoch is told, and the weights then are kept."""

    def patched(*rates: float) -> list[dict]:
        weights, left = [], list(rates)

        def read(recognizer, speech):
            weights.append({name: tensor.clone() for name, tensor in recognizer.body.state_dict().items()})
            wrong = round(left.pop(0) * 10)
            words = [word for line in speech.utterances for word in line.text.split()]
            assert len(words) == 20  # two domains of five, two words each
            told_words = ["x"] * 2 * wrong + words[2 * wrong :]
            return [" ".join(told_words[place : place + 2]) for place in range(0, 20, 2)]

        monkeypatch.setattr(training, "transcripts", read)
        return weights

    return patched


@pytest.mark.parametrize("calls", [1, 2, 3], ids=["first epoch", "second epoch", "last epoch"])
def test_killed_and_started_again_ends_with_the_same_bits(
    sources, begun, trained, empty_project, monkeypatch, capfd, calls
):
    straight = trained(empty_project / "straight" / "x", remember=True)
    (empty_project / "params.yaml").write_text(yaml.safe_dump({"wapat": {"train": {"x": TRAIN | {"remember": True}}}}))
    paths = sources | {"start": begun, "model": empty_project / "data/models/x"}
    words = [
        "wapat.train",
        "--variant",
        "x",
        *(word for name, path in paths.items() for word in (f"--{name}", str(path))),
    ]
    whole, left = training.transcripts, [calls]

    def deadly(*args):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(training, "transcripts", deadly)
    assert main(words) == 130
    assert not (empty_project / "data/models/x").exists()
    capfd.readouterr()
    assert main(words) == 0
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].startswith("resuming from .checkpoints/wapat-train@x/") == (calls > 1)
    assert [line.split(",")[0] for line in lines if line.startswith("epoch")] == [
        f"epoch {epoch}" for epoch in range(calls, 4)
    ]
    assert contents(empty_project / "data/models/x") == contents(straight)
    assert not list(empty_project.glob(".checkpoints/wapat-train@x/*"))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_leaves_a_recogniser_that_says_how_it_was_made(trained, sources, tmp_path, method):
    folder = trained(tmp_path / "x", method=method, epochs=1)
    assert list(contents(folder)) == FILES
    recognizer, card = read_recognizer(folder, whisper=sources["whisper"]), read_card(folder)
    assert (card.architecture, card.settings) == ("whisper_ctc", {"frozen_layers": 1, "dropout": 0.1})
    assert (card.about["method"], card.about["method_settings"]["eps"]) == (method, 0.1)
    assert (card.about["whisper"], card.about["normalizer"]) == ("whisper", NORMALIZER)
    assert card.about["left_out"] == {}
    (record,) = history(folder)
    assert set(record) == {"epoch", "loss", "changed", "passes", "unguided", "wer"}
    assert card.about["passes"] == record["passes"]
    waveform = torch.zeros(1, 3200)
    assert recognizer(waveform, torch.tensor([3200])).shape == (1, 10, 29)


def test_the_epoch_is_chosen_by_held_out_wer_the_later_of_equals(trained, told, tmp_path):
    weights = told(0.5, 0.2, 0.2, 0.4)
    model = trained(tmp_path / "x", epochs=4)
    kept = load_file(model / "model.safetensors")
    assert all(torch.equal(kept[name], tensor) for name, tensor in weights[2].items())
    assert any((weights[3][name] != tensor).any() for name, tensor in kept.items())
    assert about(model)["best_epoch"] == 3
    assert [record["wer"] for record in history(model)] == [0.5, 0.2, 0.2, 0.4]


def test_no_test_utterance_is_heard(trained, sources, tmp_path):
    expected = contents(trained(tmp_path / "models" / "x"))
    corpora = shutil.copytree(sources["corpora"], tmp_path / "speech")
    for shard in corpora.glob("*-test-0000.tar"):
        shard.write_bytes(b"no tar")
    assert contents(trained(tmp_path / "models" / "y", paths={"corpora": corpora})) == expected


def test_sound_that_is_left_on_disk_trains_to_the_same_bits(trained, tmp_path, monkeypatch):
    expected = contents(trained(tmp_path / "a" / "x"))
    monkeypatch.setattr(training, "DECODED_S", 0.0)
    assert contents(trained(tmp_path / "b" / "x")) == expected


def test_no_epochs_take_the_model_as_it_is(trained, begun, tmp_path):
    model = trained(tmp_path / "x", epochs=0)
    assert contents(model)["model.safetensors"] == contents(begun)["model.safetensors"]
    assert about(model)["best_epoch"] == 0


def test_another_seed_ends_elsewhere_and_memory_changes_little(pretrained, tmp_path):
    first = load_file(pretrained(tmp_path / "a") / "model.safetensors")
    other = load_file(pretrained(tmp_path / "b", seed=1) / "model.safetensors")
    assert any((first[name] - other[name]).abs().max() > 1e-2 for name in first)
    remembered = load_file(pretrained(tmp_path / "c", remember=True) / "model.safetensors")
    for name in first:
        torch.testing.assert_close(remembered[name], first[name], rtol=1e-3, atol=1e-3)


def test_the_front_stays_whispers(sources, begun):
    recognizer = read_recognizer(begun, whisper=sources["whisper"])
    whisper = load_file(sources["whisper"] / "model.safetensors")
    for name, tensor in recognizer.front.state_dict().items():
        assert torch.equal(tensor, whisper[f"model.encoder.{name}"])


def unusable(split: str, *, phonemes: list[str]) -> tuple[dict, ...]:
    """Return an utterance whose text is longer than its frames allow, and one with other phonemes."""
    second = np.zeros(16_000, np.float32)
    row = {"domain": "voice", "split": split}
    return (
        row | {"id": "crammed", "text": "abc " * 20 + "a", "phonemes": ["aɪ"], "sound": second},
        row | {"id": "foreign", "text": "bad", "phonemes": phonemes, "sound": second},
        row | {"id": "mute", "text": "bad", "phonemes": [], "sound": second},
    )


def test_what_cannot_be_written_is_left_out_by_name(pretrained, trained, tmp_path):
    corpora = write_corpora(tmp_path / "speech", extra=unusable("held_out", phonemes=["ʒ"]))
    letters = pretrained(tmp_path / "letters", paths={"corpora": corpora}, epochs=1)
    assert about(letters)["left_out"] == {"longer than its frames allow": ["crammed"]}
    phonemes = pretrained(tmp_path / "phonemes", paths={"corpora": corpora}, epochs=1, symbols="phonemes")
    assert about(phonemes)["classes"] == sorted(PHONEMES.values())
    assert about(phonemes)["left_out"] == {
        "a symbol that no training utterance has": ["foreign"],
        "nothing to write": ["mute"],
    }
    variant = trained(tmp_path / "x", paths={"corpora": corpora, "start": phonemes}, epochs=1)
    assert about(variant)["classes"] == about(phonemes)["classes"]
    assert about(variant)["left_out"] == about(phonemes)["left_out"]


def test_a_split_of_which_nothing_is_left_has_one_line(pretrained, tmp_path):
    corpora = write_corpora(tmp_path / "speech")
    table = pd.read_parquet(corpora / "manifest.parquet")
    table[table.split != "held_out"].to_parquet(corpora / "manifest.parquet")
    with pytest.raises(DataError, match=r"^the held_out split must have an utterance that can be used; it has none"):
        pretrained(tmp_path / "x", paths={"corpora": corpora})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": "wapta"}, "method must be one of plain"),
        ({"settings": {"epsilon": 0.1}}, "epsilon"),
        ({"settings": {"eps": -1}}, "eps must be at least 0; got -1"),
        ({"settings": {"release": {"clamp": True}}}, "clamp"),
        ({"batch_s": 0}, "batch_s"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(change, words):
    with pytest.raises((ValidationError, ValueError), match=words):
        stage.Params.model_validate(TRAIN | change)
