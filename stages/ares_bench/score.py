"""Read curves, rates and intervals off the outcomes of ares_bench.attack; one score a classifier."""

import json
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field

from gauntlet.errors import DataError
from gauntlet.metrics.ares_bench import area
from gauntlet.suites import Outcomes, Plan, ood_summary, summary
from stages import Out
from stages import Params as StageParams
from stages.scores import write_score


class Params(StageParams):
    """How intervals are drawn.

    Attributes:
        seed: Of the bootstrap.
        resamples: Its draws of the images.
    """

    seed: int
    resamples: int = Field(ge=1)


def run(params: Params, *, outcomes: Path, scores: Out) -> None:
    """Write one score a classifier."""
    scores.mkdir(parents=True)
    table = pd.read_parquet(outcomes / "outcomes.parquet")
    problems, listed = (_json(outcomes / name) for name in ("problems.json", "subjects.json"))
    for test in listed.values():
        plan = Plan(
            **{**test["plan"], "budgets": {norm: tuple(each) for norm, each in test["plan"]["budgets"].items()}}
        )
        for name, about in test["models"].items():
            values = _values(table, name)
            ood = _ood(name, values, listed=test.get("ood", {}))
            eps = about["trained"]["eps"] if about["trained"] else plan.eps
            results = summary(Outcomes(values, problems.get(name, {})), plan=replace(plan, eps=eps))
            largest = plan.budgets["linf"][-1]
            generator = np.random.default_rng(params.seed)
            found = area(values["radius/linf"], largest=largest, resamples=params.resamples, generator=generator)
            write_score(
                scores / f"{name}.json",
                method="ares_bench",
                stage="ares_bench-score",
                subject=name,
                results=results
                | {"data": about["data"], "trained": about["trained"], "largest": largest}
                | ({"ood": ood} if ood else {}),
                headline={"name": "area_linf", **asdict(found), "interval": "95 % bootstrap over images"},
                n=found.n,
                seeds=sorted({params.seed, plan.seed}),
                scorer=f"gauntlet {version('gauntlet')}",
                params=params,
                inputs={"outcomes": outcomes},
            )


def _values(table: pd.DataFrame, model: str) -> dict[str, np.ndarray]:
    rows = table[table["model"] == model]
    if rows.empty:
        raise DataError(f"outcomes.parquet must hold {model}, which subjects.json lists; two runs mixed?")
    found = {key: part.sort_values("image")["value"].to_numpy() for key, part in rows.groupby("key", sort=False)}
    return {key: value if key.startswith("radius/") else value.astype(bool) for key, value in found.items()}


def _ood(model: str, values: dict[str, np.ndarray], *, listed: dict[str, dict]) -> dict[str, dict]:
    found = ood_summary(values)
    if other := sorted(found.keys() ^ listed.keys()):
        raise DataError(
            f"outcomes.parquet must hold of {model} the sets that subjects.json lists; {other[0]!r} is in one alone; "
            "two runs mixed?"
        )
    return {name: rates | listed[name] for name, rates in found.items()}


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError) as error:
        raise DataError(f"{path} must be JSON; {error}; an unfinished run?") from None
