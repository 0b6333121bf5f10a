"""The draw of shots, the corpus and the masks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import webdataset
from safetensors.torch import save_file

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.few_shot import FewShotSet, evaluation, read_corpus, read_masks, read_set, sample_shots
from gauntlet.readers.labelled import Labelled
from tests.fixtures.classification import png
from tests.fixtures.few_shot_layouts import listing, write_listed

CLASSES = ["cat", "dog", "owl"]


def split_of(counts: list[int]) -> Labelled:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    return Labelled(np.zeros((len(labels), 2, 2, 3), np.uint8), labels, CLASSES)


def toy(train: list[int], val: list[int] | None = None) -> FewShotSet:
    return FewShotSet("toy", CLASSES, split_of(train), split_of(val or [5, 5, 5]), split_of([2, 2, 2]))


@pytest.mark.parametrize("shots", [1, 2, 4, 8, 16])
def test_shots_a_class_and_at_most_four_to_choose_on(shots):
    few_shot = toy([16, 20, 30])
    drawn = sample_shots(few_shot, shots=shots, seed=1)
    assert few_shot.train.labels[drawn.train].tolist() == np.repeat([0, 1, 2], shots).tolist()
    assert few_shot.val.labels[drawn.val].tolist() == np.repeat([0, 1, 2], min(shots, 4)).tolist()
    assert len(set(drawn.train)) == 3 * shots
    assert len(set(drawn.val)) == 3 * min(shots, 4)


def test_fewer_shots_are_among_more():
    few_shot = toy([16, 20, 30])
    few, many = (sample_shots(few_shot, shots=shots, seed=3) for shots in (2, 16))
    assert set(few.train) < set(many.train)
    assert set(few.val) < set(many.val)


def test_a_seed_draws_its_own_and_always_the_same():
    few_shot = toy([16, 20, 30])
    drawn = [tuple(sample_shots(few_shot, shots=4, seed=seed).train) for seed in (1, 2, 3, 1)]
    assert len(set(drawn)) == 3
    assert drawn[0] == drawn[3]


def test_every_picture_is_drawn_as_often():
    """The count of each of 8 pictures over 400 draws of 2 is binomial(400, 1/4): 100, give or take five deviations."""
    few_shot = toy([8, 8, 8])
    counts = np.bincount(np.concatenate([sample_shots(few_shot, shots=2, seed=seed).train for seed in range(400)]))
    assert np.abs(counts - 100).max() < 5 * (400 * 0.25 * 0.75) ** 0.5


def test_a_class_with_fewer_pictures_than_shots():
    few_shot = toy([16, 3, 16])
    with pytest.raises(DataError) as caught:
        sample_shots(few_shot, shots=4, seed=1)
    assert str(caught.value) == (
        "toy, train: each class must have at least 4 pictures; 'dog' has 3; fewer shots, or short: repeat?"
    )
    assert len(sample_shots(few_shot, shots=3, seed=1).train) == 9
    repeated = sample_shots(few_shot, shots=8, seed=1, short="repeat").train
    counts = np.unique(repeated[few_shot.train.labels[repeated] == 1], return_counts=True)[1]
    assert sorted(counts) == [2, 3, 3]


def test_the_validation_split_may_be_short_too():
    few_shot = toy([16, 16, 16], [5, 5, 3])
    assert len(sample_shots(few_shot, shots=2, seed=1).val) == 6
    with pytest.raises(DataError, match="toy, val: each class must have at least 4 pictures; 'owl' has 3"):
        sample_shots(few_shot, shots=16, seed=1)


def test_a_class_without_pictures_cannot_be_repeated():
    with pytest.raises(DataError, match="'owl' has 0"):
        sample_shots(toy([4, 4, 0]), shots=2, seed=1, short="repeat")


@pytest.mark.parametrize(("shots", "short"), [(0, "error"), (-1, "error"), (4, "skip")])
def test_bad_arguments(shots, short):
    with pytest.raises(ArgumentError, match="shots must be at least 1 and short one of error, repeat"):
        sample_shots(toy([4, 4, 4]), shots=shots, seed=1, short=short)


def test_clips_transform_gives_its_square(tmp_path):
    write_listed(tmp_path, "dtd")
    found = read_set(tmp_path, "dtd", transform=evaluation(6))
    assert found.train.x[np.arange(6)].shape == (6, 6, 6, 3)
    assert found.test.tensors().x.shape == (2, 3, 6, 6)


def test_masks_are_there_or_not(tmp_path):
    place = write_listed(tmp_path, "mine", rows=listing())
    assert read_masks(tmp_path, "mine") is None
    masks = torch.tensor([[[1, 0]], [[0, 1]]], dtype=torch.uint8)
    save_file({"masks": masks}, place / "masks_test.safetensors")
    found = read_masks(tmp_path, "mine")
    assert found.dtype == bool
    assert found.tolist() == masks.bool().tolist()
    for content in (b"", b"12345678 no header"):
        (place / "masks_test.safetensors").write_bytes(content)
        with pytest.raises(DataError, match="must be safetensors with `masks`"):
            read_masks(tmp_path, "mine")
    save_file({"others": masks}, place / "masks_test.safetensors")
    with pytest.raises(DataError, match="must be safetensors with `masks`"):
        read_masks(tmp_path, "mine")


def write_corpus(folder: Path, *, sizes: tuple[int, ...] = (4, 4, 4), listed: int | None = None) -> Path:
    folder.mkdir()
    with webdataset.TarWriter(str(folder / "corpus-0000.tar"), mtime=0) as shard:
        for number, size in enumerate(sizes):
            picture = np.full((size, size, 3), number, np.uint8)
            shard.write({"__key__": f"c-{number}", "png": png(picture), "txt": f"number {number}."})
    keys = [f"c-{number}" for number in reversed(range(listed or len(sizes)))]
    rows = pd.DataFrame({"key": keys, "caption": [f"number {key[-1]}." for key in keys]})
    rows.to_parquet(folder / "manifest.parquet", index=False)
    return folder


def test_the_corpus_comes_in_the_manifests_order(tmp_path):
    corpus = read_corpus(write_corpus(tmp_path / "corpus"))
    assert corpus.x.shape == (3, 3, 4, 4)
    assert corpus.x.dtype == torch.uint8
    assert corpus.x[:, 0, 0, 0].tolist() == [2, 1, 0]
    assert corpus.captions == ["number 2.", "number 1.", "number 0."]


def test_a_bad_corpus(tmp_path):
    with pytest.raises(DataError, match="c-3 is missing; a partial pull"):
        read_corpus(write_corpus(tmp_path / "lacking", listed=4))
    with pytest.raises(DataError, match="pictures of one size"):
        read_corpus(write_corpus(tmp_path / "uneven", sizes=(4, 5)))
    with pytest.raises(DataError, match=r"manifest\.parquet must exist"):
        read_corpus(tmp_path)
