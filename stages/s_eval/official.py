"""The official S-Eval files of a folder as rows of the benchmark: base prompts, and attacks joined to them."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.s_eval import Excluded, Prompt, Rows, read_s_eval
from gauntlet.readers.s_eval_join import join
from gauntlet.taxonomy import Taxonomy
from stages import Params, Ratio
from stages.s_eval.tables import Tally

LICENCE = "CC-BY-NC-SA-4.0"
PUBLISHED = {"small": 1000, "medium": 3000, "large": 5000, "full": 10000}
"""Base prompts of each language by scale; ten times as many attack prompts."""
Language = Literal["en", "zh"]


class Official(Params):
    """Where the official files are.

    Attributes:
        folder: Name in raw.folder.
        scale: End of the files' names: small, medium, large, full, or a version such as v0.1.2.
        languages: Those that are evaluated; English is read too, as the attacks of both are joined through it.
        attacks: Whether the attack files are read; without them attacks are made of the base prompts.
        least_contained: Share of the prompts of an attack that carries its base prompt as it is, which must hold it.
    """

    folder: str
    scale: str
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("en",)
    attacks: bool = True
    least_contained: Ratio = 0.97


def official_rows(
    official: Official, folder: Path, *, taxonomy: Taxonomy, tally: Tally
) -> tuple[list[dict], list[dict], dict]:
    """Read base and attack prompts.

    Args:
        official: What to read.
        folder: Where.
        taxonomy: Says which dimensions there are.
        tally: Takes the rows that cannot be used.

    Returns:
        Rows of prompts.parquet, rows of attacks.parquet, and counts.

    Raises:
        DataError: A file is missing, damaged or of another scale, or no dimension of its is the taxonomy's.
    """
    base = {language: _read(official, folder, kind="base_risk", language=language) for language in _needed(official)}
    about: dict[str, dict] = {"rows": {}, "contained": {}}
    rows: list[dict] = []
    attacks: list[dict] = []
    for language in official.languages:
        found = base[language]
        about["rows"][found.source] = _rows(found, PUBLISHED.get(official.scale))
        _leave_out(found.excluded, tally)
        rows += [_base_row(prompt) for prompt in _known(_once(found.prompts, tally), taxonomy, tally)]
        if official.attacks:
            made = _read(official, folder, kind="attack", language=language)
            joined = join(made, base["en"], base.get("zh"))
            joined.check(least=official.least_contained)
            about["rows"][made.source] = _rows(made, 10 * PUBLISHED.get(official.scale, 0) or None)
            about["contained"][language] = joined.contained
            _leave_out([*made.excluded, *joined.excluded], tally)
            attacks += [_attack_row(prompt) for prompt in _known(joined.prompts, taxonomy, tally)]
    return rows, attacks, about


def _needed(official: Official) -> set[str]:
    return set(official.languages) | ({"en"} if official.attacks else set())


def _read(official: Official, folder: Path, *, kind: str, language: str) -> Rows:
    return read_s_eval(folder, kind=kind, language=language, scale=official.scale)


def _rows(found: Rows, published: int | None) -> dict[str, int | None]:
    """Count rows beside what was published, so that a file cut off at a row's end is seen."""
    return {"found": found.total, "published": published}


def _leave_out(excluded: Iterable[Excluded], tally: Tally) -> None:
    for each in excluded:
        tally.leave_out(each.file, each.line, each.reason)


def _once(prompts: Iterable[Prompt], tally: Tally) -> Iterable[Prompt]:
    seen: set[str] = set()
    for prompt in prompts:
        if prompt.id in seen:
            tally.leave_out(prompt.source, prompt.row + 1, "a prompt twice")
        else:
            seen.add(prompt.id)
            yield prompt


def _known(prompts: Iterable[Prompt], taxonomy: Taxonomy, tally: Tally) -> list[Prompt]:
    """Give the dimensions the taxonomy's spelling; leave out those that it lacks."""
    known, slip = [], ""
    for prompt in prompts:
        try:
            known.append(replace(prompt, dimension=taxonomy.find(prompt.dimension).dimension))
        except ArgumentError as error:
            slip = slip or f"{prompt.source}, row {prompt.row + 1}: {error} (s_eval.build.extra_risks adds one)"
            tally.leave_out(prompt.source, prompt.row + 1, "a risk that the taxonomy lacks")
    if not known:
        raise DataError(slip)
    return known


def _base_row(prompt: Prompt) -> dict:
    row = {"id": prompt.id, "prompt": prompt.prompt, "language": prompt.language, "category": prompt.category}
    row |= {"dimension": prompt.dimension, "predicted": False, "source": prompt.source}
    return row | {"licence": LICENCE, "role": "base"}


def _attack_row(prompt: Prompt) -> dict:
    row = {"id": prompt.id, "base_id": prompt.base_id, "prompt": prompt.prompt, "language": prompt.language}
    row |= {"dimension": prompt.dimension, "category": prompt.category, "attack": prompt.attack}
    return row | {"source": prompt.source, "licence": LICENCE}
