import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from gauntlet.errors import DataError
from gauntlet.readers.speech_corpora import Excluded, Recording
from gauntlet.readers.speech_prompts import read_prompts, read_reviews
from gauntlet.readers.speech_tables import ESB, READERS
from tests.fixtures.sources import write_archive
from tests.fixtures.speech_sources import PROMPTS, REVIEWS, encoded, tone, write_librispeech, write_sources

TEXTS = {"84-121-0000": "MISTER QUILTER IS THE APOSTLE", "84-121-0001": "NOR IS HE", "99-7-0000": "THE END"}
BROKEN = {
    "empty": b"",
    "none": encoded(np.zeros(0, np.float32)),
    "nan": encoded(np.full(9, np.nan, np.float32), subtype="FLOAT"),
    "text": b"this is no sound",
}
REASONS = {"empty": "no content", "none": "0 samples", "nan": "NaN or infinity", "text": "no readable sound"}


def librispeech(folder):
    return write_librispeech(folder, TEXTS), "test-clean"


def beside(folder):
    (folder / "sub").mkdir(parents=True)
    for number, (name, text) in enumerate(TEXTS.items()):
        (folder / "sub" / f"{name}.wav").write_bytes(encoded(tone(150 + 30 * number)))
        (folder / "sub" / f"{name}.txt").write_text(text)
    return folder, "."


def table(folder):
    beside(folder)
    lines = [f"sub/{name}.wav\t{text}\t{name.split('-')[0]}\n" for name, text in TEXTS.items()]
    (folder / "transcripts.tsv").write_text("".join(["file\tsentence\tspeaker\n", *lines]))
    return folder, "."


def parquet(folder, subset="test"):
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"audio": {"bytes": encoded(tone(150 + 30 * n)), "path": None}, "text": text, "id": name, "dataset": "ami"}
        for n, (name, text) in enumerate(TEXTS.items())
    ]
    for part in range(2):
        path = folder / f"{subset}-0000{part}-of-00002.parquet"
        path.parent.mkdir(exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows[2 * part : 2 * part + 2]), path)
    return folder, subset


def esb(folder):
    return parquet(folder, "ami/test")


def fairseq(folder):
    beside(folder)
    names = [f"{name}.wav\t9600\n" for name in TEXTS]
    (folder / "test.tsv").write_text("".join(["sub\n", *names]))
    letters = [" ".join(text.replace(" ", "|")) + " |\n" for text in TEXTS.values()]
    (folder / "test.ltr").write_text("".join(letters))
    return folder, "test"


LAYOUTS = {
    "librispeech": (librispeech, "librispeech"),
    "beside": (beside, "folder"),
    "table": (table, "folder"),
    "parquet": (parquet, "parquet"),
    "esb": (esb, "esb"),
    "fairseq": (fairseq, "fairseq"),
}


@pytest.mark.parametrize(("write", "layout"), LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_same_recordings(tmp_path, write, layout):
    folder, subset = write(tmp_path / "corpus")
    found = list(READERS[layout](folder, subset))
    assert all(isinstance(one, Recording) for one in found)
    assert [one.raw_text.strip() for one in found] == list(TEXTS.values())
    assert len({one.name for one in found}) == 3
    for number, one in enumerate(found):
        np.testing.assert_allclose(one.waveform, tone(150 + 30 * number), atol=1 / 32000)


def test_speakers_are_read_where_they_are_known(tmp_path):
    for layout, write in (("librispeech", librispeech), ("folder", table)):
        found = READERS[layout](*write(tmp_path / layout))
        assert [one.speaker for one in found] == ["84", "84", "99"]


@pytest.mark.parametrize(("write", "layout"), LAYOUTS.values(), ids=LAYOUTS)
def test_what_is_not_there_is_an_error_that_says_where(tmp_path, write, layout):
    folder, _ = write(tmp_path / "corpus")
    with pytest.raises(DataError, match=r"nowhere.*(none is there|not there)"):
        list(READERS[layout](folder, "nowhere"))


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_sounds_are_left_out_by_name(tmp_path, kind):
    folder, _ = beside(tmp_path / "corpus")
    (folder / "sub/84-121-0001.wav").write_bytes(BROKEN[kind])
    found = list(READERS["folder"](folder, "sub"))
    assert [one for one in found if isinstance(one, Excluded)] == [Excluded(REASONS[kind], "84-121-0001.wav")]
    assert len(found) == 3


def test_text_and_sound_miss_each_other(tmp_path):
    folder, _ = beside(tmp_path / "one")
    (folder / "sub/99-7-0000.txt").unlink()
    assert Excluded("no transcript", "99-7-0000.wav") in list(READERS["folder"](folder, "sub"))
    folder, _ = table(tmp_path / "two")
    (folder / "sub/99-7-0000.wav").unlink()
    assert list(READERS["folder"](folder, "."))[-1] == Excluded("no sound file", "sub/99-7-0000.wav")
    folder, subset = librispeech(tmp_path / "three")
    (folder / subset / "99/7/99-7-0000.flac").unlink()
    assert list(READERS["librispeech"](folder, subset))[-1] == Excluded("no content", "99-7-0000")


def test_a_table_without_its_column_is_an_error(tmp_path):
    folder, _ = table(tmp_path / "one")
    (folder / "transcripts.tsv").write_text("file\twords\n")
    with pytest.raises(DataError, match="column text or sentence"):
        list(READERS["folder"](folder, "."))
    pyarrow.parquet.write_table(pyarrow.table({"audio": [b""]}), tmp_path / "test-0.parquet")
    with pytest.raises(DataError, match="lacks text"):
        list(READERS["parquet"](tmp_path, "test"))
    (tmp_path / "test-0.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match="whole Parquet"):
        list(READERS["parquet"](tmp_path, "test"))


def test_parquet_takes_bare_bytes_and_rows_without_a_name(tmp_path):
    rows = [{"audio": encoded(tone(200)), "text": "yes"}, {"audio": None, "text": "no"}]
    rows.append({"audio": encoded(tone(200)), "text": None})
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "train-0.parquet")
    first, *others = READERS["parquet"](tmp_path, "train")
    assert (first.name, first.raw_text) == ("train-0-000000", "yes")
    assert others == [Excluded("no content", "train-0-000001"), Excluded("no transcript", "train-0-000002")]


def test_esb_has_eight_sets(tmp_path):
    assert len(ESB) == 8
    folder, subset = esb(tmp_path)
    path = folder / "ami/test-00000-of-00002.parquet"
    rows = pyarrow.parquet.read_table(path).to_pylist()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{**rows[0], "dataset": "timit"}]), path)
    with pytest.raises(DataError, match="got 'timit'"):
        list(READERS["esb"](folder, subset))


def test_fairseq_holds_lengths_and_lines_to_each_other(tmp_path):
    folder, subset = fairseq(tmp_path)
    (folder / "test.tsv").write_text((folder / "test.tsv").read_text().replace("9600", "9601", 1))
    first = next(iter(READERS["fairseq"](folder, subset)))
    assert first.reason == "another length than the manifest says"
    (folder / "test.ltr").write_text("A |\n")
    with pytest.raises(DataError, match="a line for each of 3"):
        list(READERS["fairseq"](folder, subset))


def test_librispeech_lines_have_an_id(tmp_path):
    folder, subset = librispeech(tmp_path)
    (folder / subset / "99/7/99-7.trans.txt").write_text("THE END\n")
    with pytest.raises(DataError, match=r"99-7\.trans\.txt, line 1"):
        list(READERS["librispeech"](folder, subset))


def test_prompts_meet_their_lines(tmp_path):
    sources = write_sources(tmp_path)
    found = list(read_prompts(sources["prompts"], sources["transcripts"]))
    texts = {one.name: one.raw_text for one in found if isinstance(one, Recording)}
    assert texts == {name: text for name, text in PROMPTS.items() if name != "missing"}
    left = [one for one in found if isinstance(one, Excluded)]
    assert left == [Excluded("no sound file", "missing"), Excluded("no transcript", "extra")]
    assert {one.source_hz for one in found if isinstance(one, Recording)} == {8000}


def test_broken_sources_are_named(tmp_path):
    sources = write_sources(tmp_path)
    assert read_reviews(sources["sentences"]) == REVIEWS
    none = write_archive(tmp_path / "none.tar", {"readme": b"x"})
    with pytest.raises(DataError, match=r"none\.tar must hold \*\.wav"):
        next(read_prompts(none, sources["transcripts"]))
    for reader in (lambda: list(read_prompts(sources["prompts"], none)), lambda: read_reviews(none)):
        with pytest.raises(DataError, match=r"none\.tar must hold"):
            reader()
    cut = write_archive(tmp_path / "cut.tar", {"core-sounds-en.txt.gz": b"\x1f\x8b no"})
    with pytest.raises(DataError, match="must be whole"):
        list(read_prompts(sources["prompts"], cut))
    head = write_archive(tmp_path / "head.tar", {"imdb/sample.csv": b"words,label\nx,1\n"})
    with pytest.raises(DataError, match="column text"):
        read_reviews(head)
