"""The official S-Eval files of a folder as rows of the benchmark: base prompts, and attacks joined to them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gauntlet.taxonomy import Taxonomy
from stages import Params, Ratio
from stages.s_eval.tables import Tally

LICENCE = "CC-BY-NC-SA-4.0"


class Official(Params):
    """Where the official files are.

    Attributes:
        folder: Name in raw.folder.
        scale: End of the files' names: small, medium, large, full, or a version such as v0.1.2.
        languages: Those that are evaluated; English is read too, as the attacks of both are joined through it.
        attacks: Whether the attack files are read; without them attacks are made of the base prompts.
        least_contained: Share of the attack prompts, of attacks that carry the base prompt, which must hold theirs.
    """

    folder: str
    scale: str
    languages: Annotated[tuple[Literal["en", "zh"], ...], Field(min_length=1)] = ("en",)
    attacks: bool = True
    least_contained: Ratio = 0.97


def official_rows(
    official: Official, folder: Path, *, taxonomy: Taxonomy, tally: Tally
) -> tuple[list[dict], list[dict], dict]:
    """Read base and attack prompts.

    Returns:
        Rows of prompts.parquet, rows of attacks.parquet, and counts.
    """
    raise NotImplementedError
