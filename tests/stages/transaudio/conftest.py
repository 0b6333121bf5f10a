"""Speech in tones, recognisers of tones in the place of those on disk, and a voice that says their words."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from gauntlet.errors import DataError
from gauntlet.synthesis import Spoken
from stages.transaudio import attack, score, victims
from tests.fixtures.tones import write_corpora, write_shard
from tests.gauntlet.tiny_ctc import RATE_HZ, TinyCtc, sentences, spoken, trained_tiny_ctc

ATTACK = {
    "seed": 5,
    "surrogates": ["good", "second"],
    "domains": None,
    "candidates": None,
    "utterances": 3,
    "longest_s": 10.0,
    "kinds": ["delete", "insert", "substitute"],
    "inserted": "face",
    "replacements": ["ad", "bed", "cafe"],
    "voice": "en-us",
    "batch": 6,
    "setting": {"eps": 0.03, "alpha": 0.004, "local_steps": 3, "global_steps": 15, "check_every": 0},
    "settings": {"splice": {"local_steps": 0, "global_steps": 0}, "both": {}, "ensemble": {"surrogates": 2}},
    "tuning": {"updates": 2, "batch": 2, "rate": 0.001},
}
SCORE = {
    "seed": 6,
    "resamples": 40,
    "victims": {"good": None, "second": None, "whisper": ["both"]},
    "batch": 5,
}


@pytest.fixture(scope="session")
def recognizers() -> dict[str, TinyCtc]:
    """Return recognisers of tones by name."""
    return {"good": trained_tiny_ctc(updates=150), "second": trained_tiny_ctc(updates=120, seed=1)}


@pytest.fixture(scope="session")
def corpora(tmp_path_factory) -> Path:
    """Return test sentences of two domains, and a few to tune on."""
    folder = tmp_path_factory.mktemp("corpora")
    texts = {"prompts": [*sentences(5, seed=1), "ab"], "voice_b": sentences(3, seed=2, words=4)}
    write_corpora(folder, texts)
    tuning = {f"tune-{place}": text for place, text in enumerate(sentences(4, seed=3))}
    waveform, lengths = spoken(list(tuning.values()))
    sounds = {key: row[:length].numpy() for key, row, length in zip(tuning, waveform, lengths, strict=True)}
    write_shard(folder / "voice_b-train-0000.tar", sounds)
    manifest = pd.read_parquet(folder / "manifest.parquet")
    manifest = manifest[manifest["split"] == "test"]
    rows = [
        {**manifest.iloc[0], "id": key, "domain": "voice_b", "split": "train", "text": text}
        | {"samples": len(sounds[key]), "shard": "voice_b-train-0000.tar"}
        for key, text in tuning.items()
    ]
    pd.concat([manifest, pd.DataFrame(rows)]).to_parquet(folder / "manifest.parquet")
    return folder


@pytest.fixture(scope="module")
def places(tmp_path_factory, recognizers) -> Iterator[dict[str, Path]]:
    """Return where models lie, and let tones stand for them."""

    def read(folder: Path, *, whisper: Path) -> TinyCtc:
        if folder.name not in recognizers:
            raise DataError(f"{folder}/model.json must exist")
        return recognizers[folder.name]

    def say(word: str, *, voice: str, sample_rate: int) -> Spoken:
        assert (voice, sample_rate) == ("en-us", RATE_HZ)
        return Spoken(spoken([word])[0][0].numpy(), RATE_HZ, ())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(victims, "read_recognizer", read)
        patch.setattr(victims, "read_whisper", lambda folder: recognizers["second"])
        patch.setattr(attack, "say", say)
        folder = tmp_path_factory.mktemp("places")
        yield {"whisper": folder / "whisper", "models": folder / "models"}


@pytest.fixture(scope="module")
def attacked(corpora, places, tmp_path_factory) -> Callable[..., Path]:
    """Return a function that attacks."""

    def run(**changes) -> Path:
        folder = tmp_path_factory.mktemp("attack") / "attacked"
        attack.run(attack.Params(**(ATTACK | changes)), corpora=corpora, **places, attacked=folder)
        return folder

    return run


@pytest.fixture(scope="module")
def folder(attacked) -> Path:
    """Return what the attack writes; not to be changed."""
    return attacked()


@pytest.fixture(scope="module")
def scored(places, tmp_path_factory) -> Callable[..., Path]:
    """Return a function that scores."""

    def run(attacked: Path, **changes) -> Path:
        folder = tmp_path_factory.mktemp("score") / "scores"
        score.run(score.Params(**(SCORE | changes)), attacked=attacked, **places, scores=folder)
        return folder

    return run
