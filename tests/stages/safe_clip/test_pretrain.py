"""safe_clip.pretrain on a corpus of squares: the folder, the reader, the same bytes, a run taken up."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import webdataset
from PIL import Image
from pydantic import ValidationError

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.clip import read_clip
from stages.machine import Machine
from stages.safe_clip import pretrain
from stages.safe_clip.pretrain import Params, run, said_of

PARAMS = {
    "seed": 0,
    "epochs": 3,
    "batch": 8,
    "lr": 0.003,
    "attention_lr": 0.0003,
    "weight_decay": 0.01,
    "image_size_px": 16,
    "width": 8,
    "layers": [1, 1, 1, 1],
    "head_width": 16,
    "embed": 8,
    "text_width": 16,
    "text_heads": 2,
    "text_layers": 1,
    "context": 8,
    "small_px": 16,
    "small_epochs": 0,
    "least": 0.9,
    "light": 0.1,
    "precision": "float32",
    "concepts": {"name": ["a {}.", "the {} square."]},
}
COLOURS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220)}


@pytest.fixture(autouse=True)
def one_core(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in ("stages.checkpoint.machine", "stages.safe_clip.pretrain.machine"):
        monkeypatch.setattr(place, lambda: Machine("cpu", 1, 1))


@pytest.fixture
def corpus(tmp_path) -> Path:
    folder, rows = tmp_path / "corpus", []
    folder.mkdir()
    with webdataset.TarWriter(str(folder / "corpus-0000.tar"), mtime=0) as shard:
        for index in range(26):
            name = list(COLOURS)[index % 3]
            stream, key = io.BytesIO(), f"corpus-{index:06d}"
            Image.fromarray(np.full((16, 16, 3), COLOURS[name], np.uint8)).save(stream, "PNG")
            shard.write({"__key__": key, "png": stream.getvalue(), "txt": f"a {name} square."})
            rows.append({"key": key, "caption": f"a {name} square.", "name": name})
    pd.DataFrame(rows).to_parquet(folder / "manifest.parquet", index=False)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_it_writes_a_clip_that_knows_the_colours(corpus, tmp_path):
    run(Params(**PARAMS | {"epochs": 12, "least": 1.0}), corpus=corpus, clip=tmp_path / "clip")
    config = json.loads((tmp_path / "clip" / "config.json").read_text())
    history = json.loads((tmp_path / "clip" / "history.json").read_text())
    assert config["words"] == ["a", "blue", "green", "red", "square", "the"]
    assert config["pairs"] == 26
    assert [row["epoch"] for row in history] == list(range(1, 13))
    assert history[-1]["matched"] > history[0]["matched"]
    clip = read_clip(tmp_path / "clip")
    assert clip.logit_scale == pytest.approx(config["logit_scale"])
    squares = torch.tensor(list(COLOURS.values()))[:, :, None, None].expand(3, 3, 16, 16) / 255
    shown = clip.image_features(squares) @ clip.class_features(list(COLOURS), ["a {} square."]).T
    assert shown.argmax(1).tolist() == [0, 1, 2]
    assert not list(Path(".checkpoints").rglob("state.pt"))


def test_the_same_parameters_give_the_same_bytes(corpus, tmp_path):
    for name in ("first", "again"):
        run(Params(**PARAMS), corpus=corpus, clip=tmp_path / name)
    assert digests(tmp_path / "first") == digests(tmp_path / "again")
    run(Params(**PARAMS | {"seed": 1}), corpus=corpus, clip=tmp_path / "other")
    assert digests(tmp_path / "first")["model.safetensors"] != digests(tmp_path / "other")["model.safetensors"]


def test_a_run_that_was_cut_off_is_taken_up(corpus, tmp_path, monkeypatch):
    run(Params(**PARAMS), corpus=corpus, clip=tmp_path / "whole")
    loop, began = pretrain.train_clip, []

    def cut_off(state, *arguments, **settings):
        for record in loop(state, *arguments, **settings):
            yield record
            if record["epoch"] == 2:
                raise KeyboardInterrupt

    def watched(state, *arguments, **settings):
        began.append(state.epoch)
        return loop(state, *arguments, **settings)

    monkeypatch.setattr(pretrain, "train_clip", cut_off)
    with pytest.raises(KeyboardInterrupt):
        run(Params(**PARAMS), corpus=corpus, clip=tmp_path / "resumed")
    assert not (tmp_path / "resumed").exists()
    monkeypatch.setattr(pretrain, "train_clip", watched)
    run(Params(**PARAMS), corpus=corpus, clip=tmp_path / "resumed")
    assert began == [2]
    assert digests(tmp_path / "resumed") == digests(tmp_path / "whole")


def test_pictures_of_another_size(corpus, tmp_path):
    with pytest.raises(DataError, match="pictures must be 3 x 32 x 32"):
        run(Params(**PARAMS | {"image_size_px": 32}), corpus=corpus, clip=tmp_path / "clip")


def test_a_concept_that_the_corpus_does_not_tell(corpus, tmp_path):
    params = Params(**PARAMS | {"concepts": {"coarse": ["a {}."]}})
    with pytest.raises(DataError, match="must tell coarse; it has key, caption, name"):
        run(params, corpus=corpus, clip=tmp_path / "clip")


def test_a_concepts_lines_in_the_order_of_its_values():
    facts = pd.DataFrame({"coarse": ["marine", "bird", "marine"]})
    lines, of = said_of(facts, "coarse", ["a {}.", "one {}."])
    assert lines == [["a bird.", "a sea creature."], ["one bird.", "one sea creature."]]
    assert of.tolist() == [1, 0, 1]


def test_captions_longer_than_the_context(corpus, tmp_path):
    with pytest.raises(ArgumentError, match="at most 2 words"):
        run(Params(**PARAMS | {"context": 4}), corpus=corpus, clip=tmp_path / "clip")


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 1},
        {"image_size_px": 20},
        {"small_px": 32, "small_epochs": 1},
        {"precision": "float16"},
        {"least": 0},
        {"attention_lr": -1},
        {"text_heads": 3},
        {"layers": [1, 1]},
        {"widht": 3},
    ],
)
def test_bad_parameters(wrong):
    with pytest.raises((ValidationError, ArgumentError), match=next(iter(wrong))):
        Params(**PARAMS | wrong)
