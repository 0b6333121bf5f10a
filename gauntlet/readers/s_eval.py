"""Official files of S-Eval: base prompts and the attacks made of them, row by row, in whichever version.

`S-Eval_{base_risk,attack}_{en,zh}_{scale}.jsonl`, or the same in a zip. No key of the files joins an attack to its base
prompt; `gauntlet.readers.s_eval_join` does.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gauntlet.errors import ArgumentError, DataError

LANGUAGES = ("en", "zh")
KINDS = {"base_risk": ("base_risk", "original_risk"), "attack": ("attack",)}
"""Kinds of file, each with what its rows call themselves; version 0.1.0 says original_risk."""


@dataclass(frozen=True)
class Prompt:
    """A prompt of the benchmark.

    Attributes:
        id: md5 of the stripped prompt.
        prompt: Text; what is sent for an attack prompt.
        dimension: First level of the taxonomy, underscored as in the files.
        category: Second level; "" as the publisher does not say it.
        language: Key of `LANGUAGES`.
        attack: Name of the attack; "" for a base prompt.
        base_id: Id of the base prompt behind an attack prompt; "" before the join. A base prompt's own.
        source: Name of the file.
        parent_id: Id of the Chinese prompt that an English one was made of; "" where there is none.
        row: Place among the rows of the file, from 0, those left out counted too.
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
    row: int = 0


@dataclass(frozen=True)
class Excluded:
    """A row that cannot be used: the file, its line from 1, and the reason."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True)
class Rows:
    """What a file holds: its prompts in order, the rows left out, and the count of both."""

    source: str
    prompts: tuple[Prompt, ...]
    excluded: tuple[Excluded, ...]

    @property
    def total(self) -> int:
        """Rows, those left out counted too."""
        return len(self.prompts) + len(self.excluded)


def read_s_eval(folder: Path, *, kind: str, language: str, scale: str) -> Rows:
    """Read one official file.

    Args:
        folder: Any folder above it.
        kind: Key of `KINDS`.
        language: One of `LANGUAGES`.
        scale: How the file's name ends: small, medium, large, full, or a version such as v0.1.2.

    Returns:
        Its rows. Left out, with the reason: what is no JSON object of the four fields, whose `ext` is not JSON again,
        that calls itself another kind, or whose traceid is not its prompt's (base prompts alone have that promise).

    Raises:
        ArgumentError: An unknown kind or language.
        DataError: No such file, one that is cut off, or none of its rows can be used.

    Source: Yuan et al., ISSTA 2025, and the files of versions 0.1.0 to 0.1.2; the zips also hold `__MACOSX/`.
    """
    if kind not in KINDS or language not in LANGUAGES:
        raise ArgumentError(
            f"kind must be one of {', '.join(KINDS)} and language one of {', '.join(LANGUAGES)}; "
            f"got {kind!r} and {language!r}"
        )
    path = _find(folder, f"S-Eval_{kind}_{language}_{scale}")
    prompts: list[Prompt] = []
    excluded: list[Excluded] = []
    for line, content in _lines(path):
        found = _parse(content, kind=kind)
        if isinstance(found, str):
            excluded.append(Excluded(path.name, line, found))
        else:
            prompts.append(
                Prompt(**found, language=language, source=path.name, row=len(prompts) + len(excluded), category="")
            )
    if not prompts:
        reason = excluded[0].reason if excluded else "it is empty"
        raise DataError(f"{path}: must have rows that can be used; it has none: {reason}; another file renamed?")
    return Rows(path.name, tuple(prompts), tuple(excluded))


def _parse(line: bytes, *, kind: str) -> dict[str, str] | str:
    """Return the fields of a row, or why it cannot be used."""
    try:
        row = json.loads(line)
    except ValueError:
        return "not JSON"
    fields = ("traceid", "risk_type", "prompt")
    if not isinstance(row, dict) or not all(isinstance(row.get(field), str) and row[field].strip() for field in fields):
        return "no traceid, risk_type and prompt"
    ext = _ext(row.get("ext"))
    if not isinstance(ext, dict):
        return "ext is no JSON object"
    if ext.get("model") not in KINDS[kind]:
        return "a row of another kind"
    try:
        identity = hashlib.md5(row["prompt"].strip().encode()).hexdigest()
    except UnicodeEncodeError:
        return "half a character"
    attack, parent = ext.get("category", ""), ext.get("from_traceid", "")
    if kind == "attack" and not (isinstance(attack, str) and attack.strip()):
        return "an attack without its name"
    if kind != "attack" and identity != row["traceid"].strip():
        return "traceid is not the prompt's"
    return {
        "id": identity,
        "prompt": row["prompt"],
        "dimension": re.sub(r"[\s_]+", "_", row["risk_type"].strip()),
        "attack": re.sub(r"[\s_-]+", "_", attack.strip().lower()) if kind == "attack" else "",
        "base_id": "" if kind == "attack" else identity,
        "parent_id": parent if isinstance(parent, str) else "",
    }


def _ext(value: object) -> object:
    """Return `ext`, JSON inside JSON; None where it is not."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None


def _find(folder: Path, stem: str) -> Path:
    """Return the file of that name, an unpacked one first; versions differ in capitals."""
    wanted = [f"{stem}.jsonl".lower(), f"{stem}.jsonl.zip".lower()]
    found = [
        path
        for path in sorted(folder.rglob("*.jsonl*"))
        if path.name.lower() in wanted and "__MACOSX" not in path.parts and path.is_file()
    ]
    if not found:
        raise DataError(f"{folder}: must hold {stem}.jsonl or .jsonl.zip; it does not; another scale or version?")
    return min(found, key=lambda path: (path.suffix == ".zip", len(path.parts)))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, numbered from 1."""
    for number, line in enumerate(_content(path).split(b"\n"), 1):
        if line.strip():
            yield number, line


def _content(path: Path) -> bytes:
    if path.suffix != ".zip":
        return path.read_bytes()
    try:
        with zipfile.ZipFile(path) as archive:
            names = [
                name
                for name in archive.namelist()
                if name.lower().endswith(".jsonl") and not name.startswith("__MACOSX/") and "/._" not in f"/{name}"
            ]
            if len(names) != 1:
                raise DataError(f"{path}: must hold one .jsonl; it holds {len(names)}; packed anew?")
            return archive.read(names[0])
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise DataError(f"{path}: must be a whole zip; {error}; truncated (a clone without its large files?)") from None
