"""Corpora of speech: human prompts, synthetic voices that read sentences of real reviews, and folders of the user's.

No sentence stands in two splits, whoever says it; near-equal sentences are dealt together. What cannot be used is in
excluded.parquet by name and in counts.json by reason.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.archives import origin
from gauntlet.readers.folders import named_folder
from gauntlet.readers.speech import SPLITS
from gauntlet.readers.speech_corpora import Excluded
from gauntlet.readers.speech_prompts import read_prompts, read_reviews
from gauntlet.readers.speech_tables import READERS
from gauntlet.sentences import rank
from gauntlet.synthesis import check_voice
from gauntlet.transcripts import normalize
from stages import CountSpan, Out, Ratio
from stages import Params as StageParams
from stages.files import write_json
from stages.machine import parallel
from stages.progress import track
from stages.speech.clips import (
    Clip,
    Limits,
    Line,
    Said,
    Tempo,
    cast,
    deal,
    human,
    is_sentence,
    read_aloud,
    readable,
    ready,
)
from stages.speech.shards import Shards, write_samples, write_table
from stages.speech.tally import Samples, Tally, count_all

PROMPTS, SYNTHETIC = "prompts", "espeak_"


def _voice(name: str) -> str:
    check_voice(name)
    return name


def _known_splits(value: dict) -> dict:
    if unknown := sorted(set(value) - set(SPLITS)):
        raise ArgumentError(f"must name splits among {', '.join(SPLITS)}; got {unknown[0]}; misspelt?")
    return value


def _whole(shares: dict[str, float]) -> dict[str, float]:
    if sorted(shares) != sorted(SPLITS) or abs(sum(shares.values()) - 1) > 1e-6:
        raise ArgumentError(f"must give {', '.join(SPLITS)} shares that sum to 1; got {shares}")
    return shares


def _rising(seconds: tuple[float, float]) -> tuple[float, float]:
    if not 0 < seconds[0] < seconds[1]:
        raise ArgumentError(f"must be a least and a greatest above 0 s; got {seconds}; the wrong way round?")
    return seconds


def _not_ours(corpora: dict) -> dict:
    if taken := [name for name in corpora if name == PROMPTS or name.startswith(SYNTHETIC)]:
        raise ArgumentError(f"corpora must not be named {PROMPTS} or {SYNTHETIC}..., which are here; got {taken[0]}")
    return corpora


VoiceName = Annotated[str, AfterValidator(_voice)]


class Voice(StageParams):
    """A synthetic domain.

    Attributes:
        voice: One of espeak-ng's, with a variant or without: "en-gb+f3".
        lines: How many sentences of each split it says; a voice without `train` is an unseen domain.
    """

    voice: VoiceName
    lines: Annotated[dict[str, NonNegativeInt], AfterValidator(_known_splits)]


class Folder(StageParams):
    """A corpus of the user's.

    Attributes:
        layout: Key of `gauntlet.readers.speech_tables.READERS`.
        folder: Name in raw.folder.
        splits: Part of the corpus by split, such as {train: train-clean-100, test: test-other}.
        voice: Accent in which its phonemes are written.
        licence: Of the recordings.
        limit: At most so many utterances of each split, from the first; null for all.
    """

    layout: Literal["librispeech", "folder", "parquet", "esb", "fairseq"]
    folder: str
    splits: Annotated[dict[str, str], AfterValidator(_known_splits)]
    voice: VoiceName = "en-us"
    licence: str
    limit: int | None = Field(default=None, ge=1)


class Params(StageParams):
    """What is built.

    Attributes:
        seed: Of splits, order, rate and pitch.
        shares: Of the sentences, by split.
        words: Least and most words of a sentence that a voice reads.
        seconds: Least and most of a recording.
        least_db: Level that a recording must reach for a tenth of a second, dB of full scale.
        rate_wpm: Least and most words a minute of a voice.
        pitch: Least and most of its pitch, 0..100.
        prompts_voice: Accent in which the phonemes of the human prompts are written.
        voices: Synthetic domains; `espeak_` is put before their names.
        corpora: The user's own, each a domain of its name.
        samples: Loose clips for people to hear.
    """

    seed: int
    shares: Annotated[dict[str, Ratio], AfterValidator(_whole)]
    words: CountSpan
    seconds: Annotated[tuple[float, float], AfterValidator(_rising)]
    least_db: float = Field(le=0)
    rate_wpm: CountSpan
    pitch: CountSpan
    prompts_voice: VoiceName
    voices: dict[str, Voice]
    corpora: Annotated[dict[str, Folder], AfterValidator(_not_ours)]
    samples: int = Field(ge=0)


def run(params: Params, *, prompts: Path, transcripts: Path, sentences: Path, folders: Path, corpora: Out) -> None:
    """Write shards, manifest, what was left out, counts and samples."""
    tally = Tally()
    recorded = list(_kept(ready(read_prompts(prompts, transcripts), limits=_limits(params)), PROMPTS, tally))
    texts = list(_kept(readable(read_reviews(sentences), words=params.words), "reviews", tally))
    splits = deal([*(said.text for said in recorded), *map(normalize, texts)], shares=params.shares, seed=params.seed)
    for said in recorded:
        tally.take(PROMPTS, said)
    about = origin(prompts)
    speak = partial(human, domain=PROMPTS, voice=params.prompts_voice, source=about.package, licence=about.licence)
    said_by_people = parallel(_Human(speak, splits), recorded, what="prompts")
    corpora.mkdir(parents=True)
    shown = Samples()
    with Shards(corpora) as shards:
        for clip in [*said_by_people, *_synthetic(params, texts, splits=splits, sentences=sentences)]:
            _add(clip, shards=shards, shown=shown)
        for name, folder in params.corpora.items():
            path = named_folder(folders, folder.folder)
            for clip in _own(name, folder, path=path, limits=_limits(params), splits=splits, tally=tally):
                _add(clip, shards=shards, shown=shown)
    write_table(corpora / "manifest.parquet", shards.rows)
    write_table(corpora / "excluded.parquet", tally.excluded or [{"source": "", "reason": "", "name": ""}])
    write_samples(corpora / "samples", shown.pick(params.samples))
    write_json(corpora / "counts.json", count_all(shards.rows, tally))


class _Human:
    """Makes a recording's clip in its split; a short text only trains."""

    def __init__(self, make: partial, splits: Mapping[str, str]) -> None:
        self.make, self.splits = make, splits

    def __call__(self, said: Said) -> Clip:
        return self.make(said, split=self.splits.get(said.text, "train"))


def _limits(params: Params) -> Limits:
    return Limits(least_s=params.seconds[0], most_s=params.seconds[1], least_db=params.least_db)


def _kept(records: Iterator, source: str, tally: Tally) -> Iterator:
    for record in records:
        if isinstance(record, Excluded):
            tally.leave_out(source, record)
        else:
            yield record


def _synthetic(params: Params, texts: list[str], *, splits: Mapping[str, str], sentences: Path) -> list[Clip]:
    pool: dict[str, list[str]] = {split: [] for split in SPLITS}
    for text in sorted(texts, key=lambda text: rank(normalize(text), seed=params.seed + 1)):
        pool[splits[normalize(text)]].append(text)
    voices = {f"{SYNTHETIC}{name}": (voice.voice, voice.lines) for name, voice in params.voices.items()}
    about = origin(sentences)
    work = partial(
        read_aloud,
        tempo=Tempo(params.rate_wpm, params.pitch),
        seed=params.seed,
        source=f"espeak-ng, {about.package}",
        licence=about.licence,
    )
    lines: list[Line] = cast(pool, voices=voices)
    return parallel(work, lines, what="lines")


def _own(
    name: str, folder: Folder, *, path: Path, limits: Limits, splits: dict[str, str], tally: Tally
) -> Iterator[Clip]:
    """Read a corpus of the user's, what is tested on first; a sentence that another split has is left out."""
    seen: set[str] = set()
    for split in sorted(folder.splits, key=SPLITS.index, reverse=True):
        records = ready(READERS[folder.layout](path, folder.splits[split]), limits=limits)
        count = 0
        for said in track(_kept(records, name, tally), what=f"{name} {split}"):
            sentence = is_sentence(said.text)
            if sentence and splits.setdefault(said.text, split) != split:
                tally.leave_out(name, Excluded("a sentence of another split", said.recording.name))
                continue
            clip = human(
                said, domain=name, split=split, voice=folder.voice, source=folder.folder, licence=folder.licence
            )
            if clip.id in seen:
                tally.leave_out(name, Excluded("a name twice", said.recording.name))
                continue
            seen.add(clip.id)
            tally.take(name, said)
            yield clip
            count += 1
            if count == folder.limit:
                break
    if not seen:
        raise DataError(
            f"{path}: the corpus {name} must have records that can be used; all were left out; wrong layout?"
        )


def _add(clip: Clip, *, shards: Shards, shown: Samples) -> None:
    shards.add(clip.row(), clip.flac)
    shown.see(clip)
