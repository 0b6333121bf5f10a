"""What comes of a build of speech: what was used, changed and left out, and the clips for people to hear."""

from collections import Counter, defaultdict

from gauntlet.readers.speech import SPLITS
from gauntlet.readers.speech_corpora import Excluded
from gauntlet.transcripts import NORMALIZER
from stages.speech.clips import Clip, Said


class Tally:
    """What was used, changed and left out, by source."""

    def __init__(self) -> None:
        self.excluded: list[dict[str, str]] = []
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)

    def leave_out(self, source: str, one: Excluded) -> None:
        """Name a record that cannot be used."""
        self.excluded.append({"source": source, "reason": one.reason, "name": one.name})

    def take(self, source: str, said: Said) -> None:
        """Count what was done to a recording and its text."""
        self.counts[source].update(f"text: {change}" for change in said.changes)
        self.counts[source].update([f"sound: {said.recording.source_hz} Hz"])
        self.counts[source].update(["sound: mixed down"] if said.recording.channels > 1 else [])

    def reasons(self) -> dict[str, dict[str, int]]:
        """Count the records left out by source and reason."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for row in self.excluded:
            found[row["source"]][row["reason"]] += 1
        return found


class Samples:
    """Keeps the first sentences of each domain to test on, for people to hear."""

    def __init__(self) -> None:
        self.first: dict[str, list[Clip]] = defaultdict(list)

    def see(self, clip: Clip, *, most: int = 24) -> None:
        """Remember a sentence."""
        if clip.kind == "sentence" and clip.split == "test" and len(self.first[clip.domain]) < most:
            self.first[clip.domain].append(clip)

    def pick(self, count: int) -> list[tuple[dict, bytes]]:
        """Return `count` clips, the domains in turn."""
        turns = [clips[turn] for turn in range(24) for clips in self.first.values() if turn < len(clips)]
        return [(clip.row(), clip.flac) for clip in sorted(turns[:count], key=lambda clip: clip.id)]


def count_all(rows: list[dict], tally: Tally) -> dict[str, object]:
    """Sum up the manifest's rows and what was left out, for counts.json."""
    utterances: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        utterances[row["domain"]][row["split"]] += 1
        seconds[row["domain"]][row["split"]] += row["seconds"]
    return {
        "normalizer": NORMALIZER,
        "utterances": utterances,
        "seconds": {name: {split: round(sum_, 1) for split, sum_ in one.items()} for name, one in seconds.items()},
        "kinds": Counter(row["kind"] for row in rows),
        "changes": tally.counts,
        "excluded": tally.reasons(),
        "phonemes": Counter(symbol for row in rows for symbol in row["phonemes"]),
        "sentences": {
            split: len({row["text"] for row in rows if row["split"] == split and row["kind"] == "sentence"})
            for split in SPLITS
        },
    }
