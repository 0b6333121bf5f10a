"""Players: clips of speech with their spectrograms and what was heard in them, embedded as the FLAC that was scored.

No clip is encoded again, as a lossy codec could take away the very perturbation that is to be heard; one that is too
long is cut, and a row that no longer fits the room given to its set is counted instead of shown.
"""

import base64
import difflib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from gauntlet.errors import DataError
from stages.summary.spectrograms import draw, levels_db, png_uri

LONGEST_S = 8.0
"""What is played of a clip at most."""
FIRST_ROWS = 3
"""Rows that are shown before one asks for more."""


@dataclass(frozen=True)
class Sound:
    """A clip as it lies in its file.

    Attributes:
        label: What it is, such as "clean" or "attacked".
        waveform: float32 [T] in [-1, 1], at most `LONGEST_S` long.
        sample_rate: In Hz.
        flac: The file's bytes, or those of its beginning.
        whole_s: Length of the whole clip.
    """

    label: str
    waveform: np.ndarray
    sample_rate: int
    flac: bytes
    whole_s: float


@dataclass(frozen=True)
class Clip:
    """One player, ready for a page.

    Attributes:
        label: What it is, such as "clean" or "attacked".
        uri: `data:` URI of FLAC.
        picture: `data:` URI of its spectrogram.
        seconds: Length of what is played.
        whole_s: Length of the whole clip.
    """

    label: str
    uri: str
    picture: str
    seconds: float
    whole_s: float

    @property
    def cut(self) -> bool:
        """Whether only the beginning is played."""
        return self.whole_s > self.seconds + 1e-6


@dataclass(frozen=True)
class Part:
    """Words of a transcript beside the text it is compared with: "same", "other" than there, or "missing" here."""

    text: str
    kind: str


@dataclass(frozen=True)
class Heard:
    """What one listener makes of each clip of a row.

    Attributes:
        listener: Its name.
        transcripts: For each clip its words, split where they leave the spoken text, and the words it lacks; None
            where it was not asked.
        note: What follows from them, such as "the attack succeeded"; may be empty.
    """

    listener: str
    transcripts: tuple[tuple[Part, ...] | None, ...]
    note: str = ""


@dataclass(frozen=True)
class PlayerRow:
    """Clips that belong together, on one axis of time.

    Attributes:
        caption: What is heard.
        note: What the row shows beyond that; may be empty.
        clips: The original first.
        heard: Transcripts, a listener a line; may be empty.
        seconds: Length of the axis.
        top_khz: Upper end of the spectrograms' frequencies.
    """

    caption: str
    note: str
    clips: tuple[Clip, ...]
    heard: tuple[Heard, ...]
    seconds: float
    top_khz: float

    @property
    def ticks(self) -> tuple[float, ...]:
        """Whole seconds, or every second one of a long clip, that the axis names."""
        step = 1 if self.seconds <= 4 else 2
        return tuple(float(second) for second in range(0, int(self.seconds) + 1, step))

    @property
    def noted(self) -> bool:
        """Whether any listener has a note."""
        return any(listener.note for listener in self.heard)

    @property
    def size(self) -> int:
        """Letters that the row adds to the page, but for its words."""
        return sum(len(clip.uri) + len(clip.picture) for clip in self.clips)


@dataclass(frozen=True)
class Players:
    """A titled list of rows.

    Attributes:
        name: The data set or method it belongs to, such as "transaudio".
        place: Where it lies, as given.
        title: Heading.
        note: How to read it.
        rows: What is shown.
        left_out: Rows that there are beyond these.
    """

    name: str
    place: str
    title: str
    note: str
    rows: tuple[PlayerRow, ...]
    left_out: int

    @property
    def first(self) -> tuple[PlayerRow, ...]:
        """Rows that are shown at once."""
        return self.rows[:FIRST_ROWS]

    @property
    def more(self) -> tuple[PlayerRow, ...]:
        """Rows that are shown when asked for."""
        return self.rows[FIRST_ROWS:]


def read_sound(file: Path, *, label: str) -> Sound:
    """Read a FLAC file of one channel, and keep its beginning if it is long.

    Raises:
        DataError: The file is missing, is no FLAC of one channel or holds no samples.
    """
    try:
        found = file.read_bytes()
        with soundfile.SoundFile(io.BytesIO(found)) as opened:
            kind, channels, sample_rate = opened.format, opened.channels, opened.samplerate
            waveform = opened.read(dtype="float32")
    except (OSError, soundfile.SoundFileError) as error:
        said = " ".join(str(error).split())[:160]
        raise DataError(f"{file} must be a whole FLAC file; {said}; truncated?") from None
    if kind != "FLAC" or channels != 1 or not len(waveform):
        raise DataError(
            f"{file} must be FLAC of one channel with samples in it; got {kind}, {channels} channels, "
            f"{len(waveform)} samples"
        )
    whole_s, most = len(waveform) / sample_rate, round(LONGEST_S * sample_rate)
    if len(waveform) > most:
        waveform = waveform[:most]
        buffer = io.BytesIO()
        soundfile.write(buffer, waveform, sample_rate, format="FLAC", subtype="PCM_16")
        found = buffer.getvalue()
    return Sound(label=label, waveform=waveform, sample_rate=sample_rate, flac=found, whole_s=whole_s)


def player_row(caption: str, sounds: list[Sound], *, note: str = "", heard: Iterable[Heard] = ()) -> PlayerRow:
    """Make a row of players, their spectrograms on one scale of loudness, time and frequency.

    Args:
        caption: What is heard.
        sounds: The original first; all of the same sample rate.
        note: What the row shows beyond that.
        heard: A line a listener, with as many transcripts as there are sounds.
    """
    seconds = max(len(sound.waveform) / sound.sample_rate for sound in sounds)
    levels = [levels_db(sound.waveform, sample_rate=sound.sample_rate) for sound in sounds]
    loudest_db = max(float(level.max()) for level in levels)
    clips = []
    for sound, level in zip(sounds, levels, strict=True):
        own_s = len(sound.waveform) / sound.sample_rate
        picture = png_uri(draw(level, loudest_db=loudest_db, share=own_s / seconds))
        uri = "data:audio/flac;base64," + base64.b64encode(sound.flac).decode()
        clips.append(Clip(label=sound.label, uri=uri, picture=picture, seconds=own_s, whole_s=sound.whole_s))
    top_khz = sounds[0].sample_rate / 2000
    return PlayerRow(
        caption=caption, note=note, clips=tuple(clips), heard=tuple(heard), seconds=seconds, top_khz=top_khz
    )


def fitting(rows: Iterable[PlayerRow], *, letters: int, most: int) -> tuple[PlayerRow, ...]:
    """Take rows from the first on while they fit.

    Args:
        rows: Made one at a time: none is made beyond the first that does not fit.
        letters: What the clips and pictures may add to the page.
        most: At most so many rows.
    """
    kept: list[PlayerRow] = []
    if most < 1:
        return ()
    for row in rows:
        letters -= row.size
        if letters < 0:
            break
        kept.append(row)
        if len(kept) == most:
            break
    return tuple(kept)


def compare(transcript: str, spoken: str) -> tuple[Part, ...]:
    """Split a transcript where its words leave those of another text.

    >>> [(part.text, part.kind) for part in compare("turn on a light", "please turn on the light")]
    [('please', 'missing'), ('turn on', 'same'), ('a', 'other'), ('light', 'same')]
    """
    heard, said = transcript.split(), spoken.split()
    parts = []
    for kind, begin, end, *here in difflib.SequenceMatcher(a=said, b=heard, autojunk=False).get_opcodes():
        if kind == "delete":
            parts.append(Part(text=" ".join(said[begin:end]), kind="missing"))
        else:
            parts.append(Part(text=" ".join(heard[slice(*here)]), kind="same" if kind == "equal" else "other"))
    return tuple(parts)


def heard_by(
    listener: str, transcripts: Mapping[str, str], *, labels: Iterable[str], spoken: str, note: str = ""
) -> Heard:
    """Line up what a listener made of the clips named by `labels`, compared with the spoken text."""
    parts = tuple(compare(transcripts[label], spoken) if label in transcripts else None for label in labels)
    return Heard(listener=listener, transcripts=parts, note=note)
