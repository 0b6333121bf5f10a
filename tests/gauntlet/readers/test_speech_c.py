"""Speech-C: what is written comes back; damaged and mixed builds have their line."""

import pandas as pd
import pytest

from gauntlet.errors import DataError
from gauntlet.readers.speech_c import read_clips, read_rows, read_version
from tests.fixtures.tones import sounds_of, write_shard, write_speech_c

TEXTS = {"p-1": "bad cab", "p-2": "fee", "p-3": "add a bed"}
NOISES = {"hiss": [0.01, 0.1], "hum": [0.05]}


@pytest.fixture
def folder(tmp_path):
    write_speech_c(tmp_path / "speech_c", TEXTS, noises=NOISES)
    return tmp_path / "speech_c"


def test_clips_come_back_in_the_order_of_the_rows(folder):
    rows = [row for row in read_rows(folder) if (row.shift, row.severity) == ("hiss", 2)][::-1]
    clips = read_clips(folder, rows)
    assert [clip.id for clip in clips] == ["p-3", "p-2", "p-1"]
    sounds = sounds_of(TEXTS, noise=0.1, seed=2)
    for clip in clips:
        assert (clip.text, clip.domain) == (TEXTS[clip.id], "prompts")
        assert abs(clip.waveform - sounds[clip.id]).max() <= 1 / 2**15


def test_rows_of_several_archives_come_at_once(folder):
    rows = read_rows(folder)
    assert [(row.shift, row.severity) for row in rows[::3]] == [("hiss", 1), ("hiss", 2), ("hum", 1)]
    assert [len(clip.waveform) for clip in read_clips(folder, rows)] == [row.samples for row in rows]


def test_a_limit_keeps_the_same_clips_everywhere(folder):
    kept = {}
    for row in read_rows(folder, limit=2, seed=3):
        kept.setdefault((row.shift, row.severity), []).append(row.id)
    assert len(kept) == 3
    assert len({tuple(ids) for ids in kept.values()}) == 1
    assert len(kept["hum", 1]) == 2
    drawn = {tuple(row.id for row in read_rows(folder, limit=1, seed=seed)[:1]) for seed in range(20)}
    assert len(drawn) == 3


def change(folder, edit) -> None:
    path = folder / "manifest.parquet"
    table = pd.read_parquet(path)
    edit(table).to_parquet(path)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda table: table.drop(columns="severity"), "it lacks severity"),
        (lambda table: table[:0], "must hold a clip"),
        (lambda table: pd.concat([table, table[4:5]]), "p-2 at hiss does not"),
    ],
)
def test_a_wrong_manifest_is_named(folder, edit, said):
    change(folder, edit)
    with pytest.raises(DataError, match=said):
        read_rows(folder)


def test_a_missing_or_damaged_manifest_is_named(folder):
    (folder / "manifest.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="it is damaged"):
        read_rows(folder)
    with pytest.raises(DataError, match="it is missing"):
        read_rows(folder / "elsewhere")


def test_a_clip_of_another_build_is_named(folder):
    change(folder, lambda table: table.assign(samples=table["samples"] + (table["id"] == "p-2")))
    with pytest.raises(DataError, match=r"hiss-1\.tar: p-2 must have the manifest's"):
        read_clips(folder, read_rows(folder))


def test_a_missing_clip_or_archive_is_named(folder):
    write_shard(folder / "hum-1.tar", sounds_of({"p-1": "bad cab"}, noise=0.05, seed=1))
    with pytest.raises(DataError, match="must hold p-2"):
        read_clips(folder, read_rows(folder))
    (folder / "hiss-1.tar").unlink()
    with pytest.raises(DataError, match=r"hiss-1\.tar must be there"):
        read_clips(folder, read_rows(folder))


def test_the_version_is_read_or_missed(folder):
    assert read_version(folder) == "1"
    for content in ("{}", "[1]", "{"):
        (folder / "speech_c.json").write_text(content)
        with pytest.raises(DataError, match="must name the version"):
            read_version(folder)
    (folder / "speech_c.json").unlink()
    with pytest.raises(DataError, match="must name the version"):
        read_version(folder)
