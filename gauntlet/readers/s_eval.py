"""Official files of S-Eval: base prompts and the attacks made of them, read row by row and joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Prompt:
    """A prompt of the benchmark.

    Attributes:
        id: md5 of the stripped prompt.
        prompt: Text; what is sent for an attack prompt.
        dimension: First level of the taxonomy, underscored as in the files.
        category: Second level; "" where the publisher does not say it.
        language: Key of `LANGUAGES`.
        attack: Name of the attack; "" for a base prompt.
        base_id: Id of the base prompt behind an attack prompt, or its own; "" before the join.
        source: File and version.
        parent_id: Id of the Chinese prompt that an English one was made of; "" where there is none.
    """

    id: str
    prompt: str
    dimension: str
    category: str
    language: str
    attack: str
    base_id: str
    source: str
    parent_id: str = ""


@dataclass(frozen=True)
class Excluded:
    """A row that cannot be used: the file, its line from 1, and the reason."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True)
class Rows:
    """What a file holds: its prompts in order, and the rows left out."""

    prompts: tuple[Prompt, ...]
    excluded: tuple[Excluded, ...]


def read_s_eval(folder: Path, *, kind: str, language: str, scale: str) -> Rows:
    """Read one official file; kind is "base_risk" or "attack"."""
    raise NotImplementedError


def join(attacks: Sequence[Prompt], base_en: Sequence[Prompt], base_zh: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """Return the attack prompts of one language with their `base_id`."""
    raise NotImplementedError
