"""The taxonomy that is packaged, and what the parameters add to it or change in it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, StringConstraints

from gauntlet.errors import ArgumentError
from gauntlet.taxonomy import Risk, Taxonomy
from stages import Params

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ExtraRisk(Params):
    """A risk of the user's; where its path is there already, its definition takes the place of ours.

    Attributes:
        path: Names from the dimension down: [Hate_Speech, Defamation, Deep fakes]. All but the last must be known, or
            stand before it in the list.
        definition: What an answer of this kind does.
        code: Short handle.
    """

    path: Annotated[tuple[Name, ...], Field(min_length=1, max_length=4)]
    definition: Name
    code: str = ""


def packaged() -> Taxonomy:
    """Read taxonomy.yaml."""
    return Taxonomy(tuple(_risks(yaml.safe_load(Path(__file__).with_name("taxonomy.yaml").read_text()))))


def taxonomy_of(extra: Iterable[ExtraRisk]) -> Taxonomy:
    """Return the packaged taxonomy with risks added or changed.

    Raises:
        ArgumentError: A risk whose parent is unknown; names the nearest.
    """
    try:
        return packaged().with_risks(Risk(risk.path, risk.definition, risk.code) for risk in extra)
    except ArgumentError as error:
        raise ArgumentError(f"extra_risks: {error}") from None


def as_json(taxonomy: Taxonomy) -> dict:
    """Return what `gauntlet.readers.taxonomy` reads."""
    risks = [{"path": risk.path, "definition": risk.definition, "code": risk.code} for risk in taxonomy.risks]
    return {"risks": risks}


def _risks(dimensions: list[dict]) -> Iterator[Risk]:
    for dimension in dimensions:
        name = dimension["dimension"]
        yield Risk((name,), dimension["definition"], dimension["code"])
        for category in dimension["categories"]:
            yield Risk((name, category["category"]), category["definition"], category["code"])
