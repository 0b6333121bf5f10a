"""The files of a speech corpus: FLAC of 16 bits in shards by domain and split, a manifest, loose samples."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import webdataset

from gauntlet.resampling import SAMPLE_RATE_HZ

SHARD = 1000

TYPES = {
    "phonemes": pyarrow.list_(pyarrow.string()),
    "seconds": pyarrow.float64(),
    "samples": pyarrow.int64(),
}
"""Columns of the manifest that are no strings."""


def encode_flac(waveform: np.ndarray) -> bytes:
    """Encode a float32 [T] in [-1, 1] at 16 kHz as FLAC of 16 bits."""
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, waveform, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


class Shards:
    """Writes `<domain>-<split>-0000.tar` and so on as clips come, in whatever order; keeps the manifest's rows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.open: dict[tuple[str, str], webdataset.TarWriter] = {}

    def add(self, row: Mapping[str, object], flac: bytes) -> None:
        """Write one clip; `row` holds its columns but `shard`."""
        place = (row["domain"], row["split"])
        number, rest = divmod(self.counts[place], SHARD)
        name = f"{row['domain']}-{row['split']}-{number:04d}.tar"
        if rest == 0:
            if place in self.open:
                self.open[place].close()
            self.open[place] = webdataset.TarWriter(str(self.folder / name), mtime=0)
        self.open[place].write({"__key__": row["id"], "flac": flac, "txt": row["text"]})
        self.counts[place] += 1
        self.rows.append({**row, "shard": name})

    def __enter__(self) -> "Shards":
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self.open.values():
            writer.close()


def write_table(path: Path, rows: list[dict]) -> None:
    """Write rows of equal keys as Parquet, without clock or user in it."""
    columns = {name: pyarrow.array([row[name] for row in rows], TYPES.get(name, pyarrow.string())) for name in rows[0]}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def write_samples(folder: Path, clips: list[tuple[Mapping[str, object], bytes]]) -> None:
    """Write loose FLAC files and transcripts.tsv, which the layout "folder" reads."""
    folder.mkdir()
    with (folder / "transcripts.tsv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(["file", "text", "speaker", "domain", "raw_text"])
        for row, flac in clips:
            (folder / f"{row['id']}.flac").write_bytes(flac)
            raw = " ".join(row["raw_text"].split())
            writer.writerow([f"{row['id']}.flac", row["text"], row["speaker"], row["domain"], raw])
