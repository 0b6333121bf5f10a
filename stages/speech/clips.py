"""Clips on their way into the corpora: human recordings with prepared texts, sentences that a voice says."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.readers.speech_corpora import Excluded, Recording
from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.sentences import deal_sentences, rank, sentences, unreadable
from gauntlet.synthesis import phonemes, speak
from gauntlet.transcripts import normalize, prepare
from stages.speech.shards import encode_flac

SENTENCE = 4
"""Words from which a text counts as a sentence, which must not stand in two splits; shorter ones only train."""
LEAD_S = 0.1
"""Silence before a synthetic sentence: a person's begin so, espeak-ng's with the first sound."""
CODE = re.compile(r"\d{3,}")


@dataclass(frozen=True)
class Limits:
    """What a recording must be to be used: length in seconds, level of its loudest tenth of a second."""

    least_s: float
    most_s: float
    least_db: float


@dataclass(frozen=True)
class Clip:
    """One utterance, encoded."""

    id: str
    domain: str
    split: str
    speaker: str
    voice: str
    kind: str
    source: str
    licence: str
    raw_text: str
    text: str
    phonemes: tuple[str, ...]
    seconds: float
    samples: int
    flac: bytes

    def row(self) -> dict[str, object]:
        """Return the manifest's columns."""
        row = asdict(self)
        del row["flac"]
        return {**row, "phonemes": list(self.phonemes)}


class Said(NamedTuple):
    """A recording with its transcript made ready."""

    recording: Recording
    text: str
    changes: tuple[str, ...]


class Line(NamedTuple):
    """A sentence as written, and the voice that is to say it."""

    domain: str
    split: str
    voice: str
    raw_text: str


class Tempo(NamedTuple):
    """Least and greatest rate (words a minute) and pitch (0..100) of synthetic speech."""

    rate_wpm: tuple[int, int]
    pitch: tuple[int, int]


def ready(records: Iterable[Recording | Excluded], *, limits: Limits) -> Iterator[Said | Excluded]:
    """Prepare the transcripts of recordings and check their sound, one by one."""
    heard: set[bytes] = set()
    for record in records:
        if isinstance(record, Excluded):
            yield record
            continue
        digest = hashlib.sha256(record.waveform.tobytes()).digest()
        prepared = prepare(record.raw_text)
        reason = prepared.reason or _unfit(record, limits)
        if reason is None and digest in heard:
            reason = "the same recording twice"
        heard.add(digest)
        yield Excluded(reason, record.name) if reason else Said(record, prepared.text, prepared.changes)


def _unfit(record: Recording, limits: Limits) -> str | None:
    """Name what keeps a recording out."""
    if CODE.search(record.raw_text.replace(",", "")):
        return "a number that is read in several ways"
    if re.fullmatch(r"[b-hj-z]", normalize(record.raw_text)):
        return "a single letter"
    seconds = len(record.waveform) / SAMPLE_RATE_HZ
    if not limits.least_s <= seconds <= limits.most_s:
        return "too short" if seconds < limits.least_s else "too long"
    return "silence" if loudest_db(record.waveform) < limits.least_db else None


def loudest_db(waveform: np.ndarray) -> float:
    """Return the level of the loudest tenth of a second, dB against full scale."""
    window = SAMPLE_RATE_HZ // 10
    padded = np.pad(waveform, (0, -len(waveform) % window)).reshape(-1, window)
    return 10 * np.log10(max(float(np.square(padded, dtype=np.float64).mean(axis=1).max()), 1e-12))


def is_sentence(text: str) -> bool:
    """Say whether a normalised text is long enough to be held out."""
    return len(text.split()) >= SENTENCE


def kind(text: str) -> str:
    """Return "sentence", "phrase" or "word"."""
    return "sentence" if is_sentence(text) else "phrase" if " " in text else "word"


def human(said: Said, *, domain: str, split: str, voice: str, source: str, licence: str) -> Clip:
    """Make the clip of a recording; `voice` is the accent in which its phonemes are written."""
    record = said.recording
    name = re.sub(r"[^\w-]+", "-", record.name)
    return Clip(
        id=f"{domain}-{name}",
        domain=domain,
        split=split,
        speaker=f"{domain}-{record.speaker}" if record.speaker else f"{domain}-{name}",
        voice="human",
        kind=kind(said.text),
        source=source,
        licence=licence,
        raw_text=record.raw_text,
        text=said.text,
        phonemes=phonemes(said.text, voice=voice),
        seconds=round(len(record.waveform) / SAMPLE_RATE_HZ, 4),
        samples=len(record.waveform),
        flac=encode_flac(record.waveform),
    )


def read_aloud(line: Line, *, tempo: Tempo, seed: int, source: str, licence: str) -> Clip:
    """Have a voice say a line, at a rate and a pitch drawn from the line itself."""
    text = normalize(line.raw_text)
    key = f"{line.domain}\n{text}"
    spoken = speak(
        line.raw_text,
        voice=line.voice,
        rate_wpm=_draw(f"rate\n{key}", tempo.rate_wpm, seed=seed),
        pitch=_draw(f"pitch\n{key}", tempo.pitch, seed=seed),
        sample_rate=SAMPLE_RATE_HZ,
    )
    waveform = np.pad(spoken.waveform, (round(LEAD_S * SAMPLE_RATE_HZ), 0))
    return Clip(
        id=f"{line.domain}-{hashlib.sha256(text.encode()).hexdigest()[:10]}",
        domain=line.domain,
        split=line.split,
        speaker=f"espeak-{line.voice}",
        voice=line.voice,
        kind=kind(text),
        source=source,
        licence=licence,
        raw_text=line.raw_text,
        text=text,
        phonemes=spoken.phonemes,
        seconds=round(len(waveform) / SAMPLE_RATE_HZ, 4),
        samples=len(waveform),
        flac=encode_flac(waveform),
    )


def _draw(key: str, span: tuple[int, int], *, seed: int) -> int:
    return span[0] + int(rank(key, seed=seed) * (span[1] - span[0] + 1))


def readable(reviews: Sequence[str], *, words: tuple[int, int]) -> Iterator[str | Excluded]:
    """Cut reviews into the sentences that can be read aloud, each once; say why the others cannot."""
    seen: set[str] = set()
    for number, review in enumerate(reviews):
        for place, sentence in enumerate(sentences(review)):
            text = normalize(sentence)
            reason = unreadable(sentence, words=words) or ("a sentence twice" if text in seen else None)
            seen.add(text)
            yield Excluded(reason, f"review {number}, sentence {place}") if reason else sentence


def cast(pool: Mapping[str, Sequence[str]], *, voices: Mapping[str, tuple[str, Mapping[str, int]]]) -> list[Line]:
    """Give each voice its lines: the same in every voice to test, others for each voice to train on.

    Args:
        pool: Sentences of each split, in the order in which they are taken.
        voices: Voice and lines of each split, by domain.

    Raises:
        ArgumentError: The pool has fewer sentences than the voices ask for.
    """
    lines, taken = [], dict.fromkeys(pool, 0)
    for domain, (voice, wanted) in voices.items():
        for split, count in wanted.items():
            begin = taken[split] if split == "train" else 0
            if begin + count > len(pool[split]):
                asked = f"{begin + count} sentences of {split} for {domain}"
                raise ArgumentError(f"voices must ask for no more than there is: {len(pool[split])}; got {asked}")
            taken[split] = begin + count
            lines += [Line(domain, split, voice, raw) for raw in pool[split][begin : begin + count]]
    return lines


def deal(texts: Sequence[str], *, shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Return the split of each sentence among normalised texts; a shorter text has none of its own."""
    long = [text for text in texts if is_sentence(text)]
    return dict(zip(long, deal_sentences(long, shares=shares, seed=seed), strict=True))
