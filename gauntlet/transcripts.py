"""Transcripts: one versioned normaliser for references and hypotheses, and what corpora's raw texts become."""

from typing import NamedTuple

NORMALIZER = "gauntlet-english-1"
LETTERS = "abcdefghijklmnopqrstuvwxyz' "


class Prepared(NamedTuple):
    """A corpus's text made ready: `text` normalised, or None with the `reason`; `changes` names what was done."""

    text: str | None
    reason: str | None
    changes: tuple[str, ...]


def normalize(text: str) -> str:
    """Return a text in lower-case letters, apostrophes and single spaces."""
    raise NotImplementedError


def prepare(text: str) -> Prepared:
    """Normalise a corpus's transcript, or say why it cannot be one."""
    raise NotImplementedError
