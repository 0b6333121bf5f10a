import io
import tarfile

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.speech import Shelved, decode, read_corpus, read_waveform
from gauntlet.resampling import SAMPLE_RATE_HZ
from tests.fixtures.speech_sources import encoded, tone


@pytest.mark.parametrize(("form", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16")])
def test_a_sound_comes_back_as_it_was(form, subtype):
    wave = tone(440)
    np.testing.assert_allclose(read_waveform(encoded(wave, form=form, subtype=subtype)), wave, atol=1 / 32000)


def test_stereo_is_mixed_down_and_another_rate_resampled():
    left, right = tone(440, rate=48000), tone(880, rate=48000)
    sound = decode(encoded(np.stack([left, right], axis=1), 48000), where="x.wav")
    assert (sound.source_hz, sound.channels) == (48000, 2)
    expected = (tone(440) + tone(880)) / 2
    assert sound.waveform.shape == expected.shape
    np.testing.assert_allclose(sound.waveform[400:-400], expected[400:-400], atol=1e-3)


def test_samples_beyond_full_scale_are_held_to_it():
    wave = read_waveform(encoded(tone(100, level=3), subtype="FLOAT"))
    assert np.abs(wave).max() == 1


@pytest.mark.parametrize(
    ("data", "message"),
    {
        b"": "no content",
        b"RIFF of something else entirely": "no readable sound",
        encoded(np.zeros(0, np.float32)): "0 samples",
        encoded(np.full(100, np.nan, np.float32), subtype="FLOAT"): "NaN or infinity",
        encoded(np.full(100, np.inf, np.float32), subtype="FLOAT"): "NaN or infinity",
        encoded(tone(100), form="FLAC")[:40]: "no readable sound",
    }.items(),
)
def test_what_is_no_sound_is_one_line_with_the_file(tmp_path, data, message):
    path = tmp_path / "broken.wav"
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"broken.wav must .*{message}") as caught:
        read_waveform(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.wav must be a sound file; No such file"):
        read_waveform(tmp_path / "none.wav")


def write_corpus(folder, rows):
    """Write rows (id, domain, split) as one shard each domain and split."""
    table = []
    for number, (name, domain, split) in enumerate(rows):
        shard = f"{domain}-{split}-0000.tar"
        with tarfile.open(folder / shard, "a") as tar:
            data = encoded(tone(100 + number), form="FLAC")
            info = tarfile.TarInfo(f"{name}.flac")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        row = {"id": name, "domain": domain, "split": split, "speaker": "s", "text": f"text {name}"}
        table.append({**row, "phonemes": ["t", name], "samples": 9600, "shard": shard})
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), folder / "manifest.parquet")
    return folder


ROWS = [(f"{domain}{split[:2]}{n}", domain, split) for domain in "ab" for split in ("train", "test") for n in range(6)]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("speech"), ROWS)


def test_a_split_is_read_in_the_manifests_order(built):
    corpus = read_corpus(built, split="test")
    assert [one.id for one in corpus.utterances] == [name for name, _, split in ROWS if split == "test"]
    assert (len(corpus), corpus.domains) == (12, ["a", "b"])
    first = corpus.utterances[0]
    assert (first.text, first.phonemes, first.split) == ("text ate0", ("t", "ate0"), "test")
    assert first.waveform.dtype == np.float32
    assert len(first.waveform) == 9600 == 0.6 * SAMPLE_RATE_HZ
    np.testing.assert_allclose(first.waveform, tone(106), atol=1 / 32000)


def test_limit_draws_from_each_domain_by_the_seed(built):
    draws = {seed: [one.id for one in read_corpus(built, split="test", limit=3, seed=seed).utterances] for seed in "01"}
    assert all(len(draw) == 6 for draw in draws.values())
    assert draws["0"] != draws["1"]
    one = read_corpus(built, domains=["b"], split="test", limit=3, seed="0")
    assert [each.id for each in one.utterances] == [name for name in draws["0"] if name.startswith("b")]
    larger = {each.id for each in read_corpus(built, split="test", limit=4, seed="0").utterances}
    assert set(draws["0"]) < larger


def test_no_domain_asked_for_gives_none(built):
    assert len(read_corpus(built, domains=[], split="test")) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "val"}, "train, held_out, test"),
        ({"split": "test", "domains": ["c"]}, "among a, b; got 'c'"),
        ({"split": "test", "limit": 0}, "limit must be at least 1"),
    ],
)
def test_a_wrong_wish_is_one_line(built, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        read_corpus(built, **arguments)


def test_a_broken_build_is_named(tmp_path):
    with pytest.raises(DataError, match=r"manifest\.parquet must be a manifest"):
        read_corpus(tmp_path, split="test")
    write_corpus(tmp_path, ROWS[:2])
    manifest = pyarrow.parquet.read_table(tmp_path / "manifest.parquet")
    rows = manifest.to_pylist()
    rows[1]["id"] = "lost"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "manifest.parquet")
    with pytest.raises(DataError, match="must hold lost"):
        read_corpus(tmp_path, split="train")
    (tmp_path / "a-train-0000.tar").unlink()
    with pytest.raises(DataError, match=r"a-train-0000\.tar must be there"):
        read_corpus(tmp_path, split="train")
    pyarrow.parquet.write_table(manifest.drop_columns(["phonemes"]), tmp_path / "manifest.parquet")
    with pytest.raises(DataError, match="lacks phonemes"):
        read_corpus(tmp_path, split="train")


def test_much_sound_stays_on_disk_and_is_the_same(built):
    held = read_corpus(built, split="train", decoded_s=7.2).utterances
    left = read_corpus(built, split="train", decoded_s=7.19).utterances
    assert not any(isinstance(each.waveform, Shelved) for each in held)
    assert all(isinstance(each.waveform, Shelved) for each in left)
    for one, other in zip(held, left, strict=True):
        assert one.id == other.id
        assert len(other.waveform) == len(one.waveform) == 9600
        waveform = np.asarray(other.waveform)
        assert waveform.dtype == np.float32
        assert np.array_equal(waveform, one.waveform)


def test_what_was_left_on_disk_and_is_not_as_the_manifest_says_is_named(tmp_path):
    write_corpus(tmp_path, ROWS[:2])
    path = tmp_path / "manifest.parquet"
    rows = pyarrow.parquet.read_table(path).to_pylist()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row | {"samples": 9599} for row in rows]), path)
    first = read_corpus(tmp_path, split="train", decoded_s=0).utterances[0]
    with pytest.raises(DataError, match=r"a-train-0000\.tar, at byte 512: must have 9599 samples, .* got 9600"):
        np.asarray(first.waveform)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([*rows, rows[0] | {"id": "lost"}]), path)
    with pytest.raises(DataError, match="the shards must hold lost"):
        read_corpus(tmp_path, split="train", decoded_s=0)
    (tmp_path / "a-train-0000.tar").write_bytes(b"no tar")
    with pytest.raises(DataError, match=r"a-train-0000\.tar must be a whole tar"):
        read_corpus(tmp_path, split="train", decoded_s=0)
