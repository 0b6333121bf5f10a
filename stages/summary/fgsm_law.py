"""FGSM-LAW in the report: robust accuracy by training method, what it costs, and whose training collapsed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from stages.summary.charts import Chart, dots
from stages.summary.figures import THIN, budget, percent, span, words
from stages.summary.planes import apart, front, plane
from stages.summary.readings import Interval, Score
from stages.summary.robust_results import Law, law

ATTACKS = ("clean", "fgsm", "pgd_10", "pgd_20", "pgd_50", "cw_20", "autoattack")
SHOWN = ("clean", "fgsm", "pgd_50", "cw_20", "autoattack")
"""Attacks that the figure shows, weakest first; the table of numbers and the plots hold all."""
COMPARED = ("fgsm_law", "pgd_at", "trades")
"""Training methods that always carry their name: the paper's own and the expensive references."""
COLLAPSED, ON_FRONT, BEHIND = "collapsed", "on the front", "behind it"
DOT_PX = 7


@dataclass(frozen=True)
class Variant:
    """One trained model: its name and what was found."""

    name: str
    law: Law

    @property
    def robust(self) -> Interval:
        """Top-1 under PGD-50, the headline."""
        return self.law.pgd_50

    @property
    def collapsed(self) -> bool:
        """Whether it overfitted catastrophically."""
        return self.law.overfitting.collapsed


@dataclass(frozen=True)
class Group:
    """Variants that can be compared: same data, same eps, the most robust first."""

    data: str
    eps: float
    variants: tuple[Variant, ...]

    @property
    def title(self) -> str:
        """Data and eps for a reader."""
        return f"{self.data}, eps {budget(self.eps)}"

    @property
    def slug(self) -> str:
        """Data and eps as part of an id."""
        return f"{self.data}-{budget(self.eps).replace('/', '_').replace('.', '_')}"


def groups(scores: Sequence[Score]) -> list[Group]:
    """Deal the variants to their data and eps, the largest group first."""
    dealt: dict[tuple[str, float], list[Variant]] = {}
    for score in scores:
        found = law(score)
        key = (found.training.data, round(found.training.eps, 5))
        dealt.setdefault(key, []).append(Variant(score.subject, found))
    return [
        Group(data, eps, tuple(sorted(dealt[data, eps], key=lambda variant: (-variant.robust.value, variant.name))))
        for data, eps in sorted(dealt, key=lambda key: (-len(dealt[key]), key))
    ]


def table(scores: list[Score]) -> list[dict]:
    """List top-1 with its interval by variant and attack, and the training's cost, for `dvc plots`; rates in [0, 1]."""
    rows = []
    for group in groups(scores):
        for variant in group.variants:
            training, cost = variant.law.training, variant.law.cost
            about = {"subject": variant.name, "data": group.data, "eps": training.eps, "method": training.method}
            about |= {"seed": training.seed, "cost": cost.relative, "collapsed": variant.law.overfitting.epoch}
            for attack in ATTACKS:
                found: Interval | None = getattr(variant.law, attack)
                if found:
                    rows.append(about | {"attack": attack, "top1": found.value} | _bounds(found) | {"n": found.n})
    return rows


def detail(score: Score) -> str:
    """Say where it was trained, what the strongest attack leaves, what it cost, and whether it collapsed."""
    found = law(score)
    said = [
        f"{found.training.data}, eps {budget(found.training.eps)}",
        f"clean {_percent(found.clean)}",
        *([f"AutoAttack {_percent(found.autoattack)}"] if found.autoattack else []),
        f"{found.cost.relative:.1f}{THIN}× plain training",
        *([f"collapsed{_when(found)}"] if found.overfitting.collapsed else []),
    ]
    return ", ".join(said)


def leading(scores: list[Score]) -> list[Score]:
    """Return those that the overview shows at once: of each group the most robust and those always compared."""
    names = {
        variant.name
        for group in groups(scores)
        for place, variant in enumerate(group.variants)
        if place == 0 or variant.law.training.method in COMPARED[:2]
    }
    return [score for score in scores if score.subject in names]


def finding(scores: list[Score]) -> str:
    """Say who is most robust in each group at what cost, who collapsed when, and whose attacks are out of order."""
    said = [_most_robust(group) for group in groups(scores)]
    variants = [(group, variant) for group in groups(scores) for variant in group.variants]
    fallen = [f"{variant.name} ({group.title}{_when(variant.law)})" for group, variant in variants if variant.collapsed]
    said.append(f"Catastrophic overfitting: {'; '.join(fallen) or 'none'}.")
    odd = [f"{variant.name} ({group.title})" for group, variant in variants if not variant.law.monotone]
    if odd:
        said.append(f"A stronger attack left more than a weaker one, so the numbers are in doubt: {'; '.join(odd)}.")
    return "\n".join(said)


def _most_robust(group: Group) -> str:
    best = group.variants[0]
    close = [variant for variant in group.variants if variant.robust.high >= best.robust.low]
    cheapest = min(close, key=lambda variant: variant.law.cost.relative)
    found = f"{best.name}, {_percent(best.robust)} {span(best.robust.low, best.robust.high)} under PGD-50"
    said = f"{group.title}: most robust {found} at {best.law.cost.relative:.1f}{THIN}× plain training"
    if cheapest.law.cost.relative < best.law.cost.relative:
        said += (
            f"; the cheapest with an overlapping interval is {cheapest.name}, {_percent(cheapest.robust)} "
            f"at {cheapest.law.cost.relative:.1f}{THIN}×"
        )
    return f"{said}."


def _when(found: Law) -> str:
    return "" if found.overfitting.epoch is None else f", epoch {found.overfitting.epoch}"


def _percent(rate: Interval) -> str:
    return f"{100 * rate.value:.1f}{THIN}%"


def _bounds(found: Interval) -> dict:
    return {"low": found.low, "high": found.high}


def charts(scores: list[Score]) -> list[Chart]:
    """Draw two figures for each group: top-1 by method and attack, and cost against robustness."""
    return [chart for group in groups(scores) for chart in (_by_method(group), _cost(group))]


def _by_method(group: Group) -> Chart:
    shown = [
        {"group": variant.name, "series": words(attack), "value": percent(found.value)}
        | {"low": percent(found.low), "high": percent(found.high), "range": span(found.low, found.high), "n": found.n}
        for variant in group.variants
        for attack in SHOWN
        if (found := getattr(variant.law, attack))
    ]
    attacks = [words(attack) for attack in SHOWN if any(row["series"] == words(attack) for row in shown)]
    return Chart(
        name=f"fgsm_law-methods-{group.slug}",
        title=f"Top-1 by training method: {group.title}",
        caption=(
            "Dot: top-1 on the test images, clean and attacked. Bar: its interval. Methods by what PGD-50 leaves. The "
            "weights are those of the epoch that held-out PGD-10 chose. FGSM here starts at random, as in the paper."
        ),
        spec=dots(
            shown,
            groups=[variant.name for variant in group.variants],
            names=attacks,
            group="variant",
            series="attack",
            axis="top-1 (%)",
            about=f"Clean and attacked top-1 of each training method on {group.title}.",
            dot_px=DOT_PX,
        ),
        columns={"group": "Variant", "series": "Attack", "value": "Top-1 (%)", "range": "Interval", "n": "Images"},
        rows=shown,
        wide=True,
    )


def _cost(group: Group) -> Chart:
    standing = [variant for variant in group.variants if not variant.collapsed]
    places = front([(-variant.law.cost.relative, variant.robust.value) for variant in standing])
    ahead = {standing[place].name for place in places}
    named = _named(group, ahead)
    rows = [_priced(variant, ahead=variant.name in ahead, named=variant.name in named) for variant in group.variants]
    kinds = [kind for kind in (ON_FRONT, COLLAPSED, BEHIND) if any(row["kind"] == kind for row in rows)]
    return Chart(
        name=f"fgsm_law-cost-{group.slug}",
        title=f"Cost against robustness: {group.title}",
        caption=(
            "Across: forward and backward passes of the training, as a multiple of plain training. Dashed: the Pareto "
            "front, what can be had for that cost. The pointer names every point. Drag to pan, Ctrl-scroll to zoom."
        ),
        spec=plane(
            rows,
            kinds=kinds,
            quiet=(BEHIND,),
            cost=True,
            x="training passes (× plain training)",
            y="top-1 under PGD-50 (%)",
            about=f"Top-1 under PGD-50 against the cost of training on {group.title}, with the Pareto front.",
        ),
        columns={
            "name": "Variant",
            "method": "Method",
            "seed": "Seed",
            "x": "Cost (×)",
            "y": "PGD-50 (%)",
            "range": "Interval",
            "autoattack": "AutoAttack (%)",
            "clean": "Clean (%)",
            "last": "PGD-50, last epoch (%)",
            "best_epoch": "Best epoch",
            "collapse": "Collapsed at epoch",
            "switches": "Switches",
        },
        rows=rows,
        wide=True,
    )


def _named(group: Group, ahead: set[str]) -> set[str]:
    """Choose whose names stand beside their points: the compared, then the front, as far as they do not overlap."""
    wanted = [variant for method in COMPARED for variant in group.variants if variant.law.training.method == method]
    wanted += [variant for variant in group.variants if variant.name in ahead and variant not in wanted]
    places = apart([(math.log(variant.law.cost.relative), variant.robust.value) for variant in wanted])
    return {wanted[place].name for place in places}


def _priced(variant: Variant, *, ahead: bool, named: bool) -> dict:
    found, robust = variant.law, variant.robust
    last = found.last.get("pgd_50")
    return (
        {"name": variant.name, "kind": COLLAPSED if variant.collapsed else ON_FRONT if ahead else BEHIND}
        | {"x": round(found.cost.relative, 2), "y": percent(robust.value), "front": ahead}
        | {"label": variant.name if named else "", "range": span(robust.low, robust.high)}
        | {"y_low": percent(robust.low), "y_high": percent(robust.high)}
        | {"method": found.training.method, "seed": found.training.seed, "clean": percent(found.clean.value)}
        | {"autoattack": percent(found.autoattack.value) if found.autoattack else "not run"}
        | {"last": percent(last.value) if last else "not run", "best_epoch": found.best_epoch}
        | {"collapse": _collapse(variant), "switches": _switches(found.training.switches)}
    )


def _collapse(variant: Variant) -> str:
    if not variant.collapsed:
        return "no"
    epoch = variant.law.overfitting.epoch
    return "yes" if epoch is None else str(epoch)


def _switches(switches: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(switches.items()))
