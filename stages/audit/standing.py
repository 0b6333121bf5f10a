"""How a model stands beside those trained here: only scores on the same pictures, at the same budgets, count."""

from dataclasses import asdict, dataclass
from pathlib import Path

from stages.summary.ares_bench_models import Model, deal
from stages.summary.figures import budget, points, span, words
from stages.summary.readings import Score, interval, read_scores

SCORES = Path("data/scores")
ROUNDING = 1e-6


@dataclass(frozen=True)
class Standing:
    """One table: the model among those trained here.

    Attributes:
        method: "ares_bench", "imagenet_e" or "coco_o".
        by: What they are ranked by, in words.
        columns: Heading of each column, by key.
        rows: The best first; "audited" marks the model.
        rank: Of the model, from 1.
        note: What the reader must know, or why there is no table.
    """

    method: str
    by: str
    columns: dict[str, str]
    rows: list[dict]
    rank: int
    note: str = ""

    @property
    def alone(self) -> bool:
        """Whether there is nobody to stand beside."""
        return len(self.rows) < 2


def scores_here(method: str) -> list[Score]:
    """Read the scores of one method, before anything is computed; none where none was scored yet.

    Raises:
        DataError: A file is no score.
    """
    folder = SCORES / method
    return read_scores(folder) if folder.exists() else []


def comparable(score: Score, others: list[Score]) -> list[Score]:
    """Return the others that were tried as this one: the same data and largest budget, or the same input hashes."""
    if score.method == "ares_bench":
        keys = ("data", "largest")
        found = [other for other in others if all(_same(other.results.get(k), score.results.get(k)) for k in keys)]
        return [other for other in found if other.n == score.n and other.seeds == score.seeds]
    name = {"imagenet_e": "edited", "coco_o": "data/built/coco_o"}[score.method]
    return [other for other in others if other.inputs.get(name) == score.inputs[name]]


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= ROUNDING
    return one == other


def stand(score: Score, known: list[Score], *, eps: float | None) -> Standing:
    """Rank a model's score among the comparable ones.

    Args:
        score: Of the model.
        known: All scores of the method that are here.
        eps: Budget at which robust top-1 is read off the curves; for ARES-Bench alone.
    """
    line, columns, by = {
        "ares_bench": (lambda each: _ares_line(each, eps), _ares_columns(eps), "area under the Linf curve"),
        "imagenet_e": (_edits_line, EDITS, "mean drop under the ten edits, the smallest first"),
        "coco_o": (_domains_line, DOMAINS, "mean AP over the domains"),
    }[score.method]
    others = comparable(score, known)
    sign = 1 if score.method == "imagenet_e" else -1
    ranked = sorted([score, *others], key=lambda each: (sign * each.headline.value, each is not score))
    return Standing(
        method=score.method,
        by=by,
        columns=columns,
        rows=[line(each) | {"name": each.subject, "audited": each is score} for each in ranked],
        rank=1 + ranked.index(score),
        note="" if others else _nobody(score, known),
    )


def _nobody(score: Score, known: list[Score]) -> str:
    if score.method != "ares_bench":
        why = "were scored on another build of the data" if known else "have not been scored yet"
        return f"Nothing to stand beside: models trained here {why} ({SCORES / score.method})."
    data = score.results["data"]
    tried = sorted({(other.n, *other.seeds) for other in known if other.results.get("data") == data})
    if not tried:
        return f"Nothing to stand beside: no model trained here has been scored on {data} ({SCORES / score.method})."
    n, seed = tried[0][:2]
    return (
        f"Nothing to stand beside: the models trained here were scored on {n} pictures of {data}, seed {seed}; "
        f"this one on {score.n}, seed {score.seeds[0]}; --images {n} --seed {seed} makes them comparable."
    )


def _ares_columns(eps: float | None) -> dict[str, str]:
    robust = f"Top-1 (%) at Linf {budget(eps or 0)}"
    ends = {"robust": robust, "mce": "mCE (%)", "trained": "Trained against"}
    return {"name": "Model", "area": "Area, Linf (%)", "clean": "Clean (%)"} | ends


def _ares_line(score: Score, eps: float) -> dict:
    model = deal([score])[0].models[0]
    return {
        "area": _range(score.headline.model_dump()),
        "clean": _range(model.ares.clean.model_dump()),
        "robust": _read(model, eps),
        "mce": "not run" if model.ares.mce is None else f"{100 * model.ares.mce:.1f}",
        "trained": _trained(model),
    }


def _trained(model: Model) -> str:
    trained = model.ares.trained
    return f"{words(trained.method)}, {budget(trained.eps)}" if trained and trained.eps else "nothing known"


def _read(model: Model, eps: float) -> str:
    rate = model.at(eps)
    return "not run" if rate is None else f"{100 * rate:.1f}"


EDITS = {"name": "Model", "drop": "Mean drop (points)", "top1": "Originals (%)", "worst": "Costliest edit"}
DOMAINS = {
    "name": "Model",
    "ap": "Mean AP (%)",
    "source": "Source AP (%)",
    "er": "ER (points)",
    "worst": "Worst domain",
}


def _edits_line(score: Score) -> dict:
    drops = {name: interval(score, "settings", name, "drop").value for name in score.results["settings"]}
    worst = max(drops, key=drops.get)
    return {
        "drop": _range(score.headline.model_dump()),
        "top1": _range(interval(score, "original", "top1").model_dump()),
        "worst": f"{words(worst)}, {100 * drops[worst]:.1f} points",
    }


def _domains_line(score: Score) -> dict:
    return {
        "ap": _range(score.headline.model_dump()),
        "source": _range(interval(score, "source", "ap").model_dump()),
        "er": points(interval(score, "effective_robustness").value),
        "worst": score.results["worst_domain"],
    }


def _range(found: dict) -> str:
    return f"{100 * found['value']:.1f} {span(found['low'], found['high'])}"


def plain(standing: Standing) -> dict:
    """Return a standing as card.json holds it."""
    return asdict(standing) | {"of": len(standing.rows)}
