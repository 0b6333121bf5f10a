"""The robustness card: card.json with every number, and card.html, one page that needs no network."""

from dataclasses import dataclass, replace
from pathlib import Path

from gauntlet.errors import ArgumentError
from gauntlet.metrics.imagenet_e import SETTINGS
from stages.audit import results as found
from stages.audit.battery import UNASKED, Findings, plan_of, try_all
from stages.audit.request import Request
from stages.audit.standing import Standing, comparable, plain, scores_here, stand
from stages.audit.subject import Subject, open_subject
from stages.audit.weakest import write_galleries
from stages.files import write_json
from stages.machine import machine
from stages.scores import versions
from stages.summary import ares_bench_lines, ares_bench_pairs, coco_o, imagenet_e
from stages.summary.ares_bench_models import deal
from stages.summary.charts import Chart
from stages.summary.figures import THIN, budget, span, words
from stages.summary.galleries import Gallery, read_gallery
from stages.summary.page import embedded, environment
from stages.summary.readings import Score

BEST, BESIDE = 3, 6
"""Models trained here that share the charts: the best of them, the worst, and the plain one."""
SHARED = ("steps", "frequency", "corruptions", "severity")
METHODS = ("ares_bench", "imagenet_e", "coco_o")
NAMES = {"ares_bench": "ARES-Bench", "imagenet_e": "ImageNet-E", "coco_o": "COCO-O"}
SIDE_PX, QUALITY, ROWS = 224, 90, 24


@dataclass(frozen=True)
class Row:
    """One line of the card's first table."""

    what: str
    value: str
    range: str = ""
    note: str = ""


def write_card(request: Request, folder: Path, *, scratch: Path) -> dict:
    """Audit a model and write card.json, card.html and samples/ into `folder`; return what card.json holds.

    Args:
        request: What was asked for.
        folder: Made here.
        scratch: An empty folder, left as it may be.

    Raises:
        ArgumentError: No suite fits; or as `open_subject`.
        DataError: As `open_subject`, or a score of a model trained here is damaged.
    """
    known = {method: scores_here(method) for method in METHODS}
    subject = open_subject(request)
    findings = try_all(request, subject, scratch=scratch)
    if findings.empty:
        reasons = "; ".join(f"{name}: {why}" for name, why in findings.left_out.items() if name in request.suites)
        raise ArgumentError(f"a suite must fit the model; none of those asked for does: {reasons}")
    folder.mkdir(parents=True)
    names = write_galleries(request, subject, findings, folder=folder / "samples")
    results = found.classifier_results(request, subject, findings.outcomes) if findings.outcomes else None
    scores = found.scores(request, subject, findings, results=results)
    standings = [stand(score, known[score.method], eps=results and results["eps"]) for score in scores]
    card = _card(request, subject, findings, results=results) | {"standing": [plain(each) for each in standings]}
    write_json(folder / "card.json", card)
    galleries = [
        replace(
            read_gallery(folder / "samples" / name, name=name, rows=ROWS, side_px=SIDE_PX, quality=QUALITY),
            place=f"samples/{name}",
        )
        for name in names
    ]
    charts = [chart for score in scores for chart in _charts(score, comparable(score, known[score.method]))]
    (folder / "card.html").write_text(render(card, standings=standings, charts=charts, galleries=galleries))
    return card


def _card(request: Request, subject: Subject, findings: Findings, *, results: dict | None) -> dict:
    plan = None if subject.detector else plan_of(request, subject)
    detected = findings.detected.score if findings.detected else None
    return {
        "model": found.about_model(request, subject),
        "data": found.about_data(request, subject),
        "seed": request.seed,
        "eps": plan and plan.eps,
        "plan": plan
        and {
            "steps": plan.steps,
            "step_counts": list(plan.step_counts),
            "attacks": dict(plan.attacks),
            "defences": dict(plan.defences),
            "low_pass": list(plan.low_pass),
            "corruptions": list(plan.corruptions),
        },
        "device": machine().device,
        "threads": machine().threads,
        "versions": versions(found.PACKAGES),
        "results": results,
        "imagenet_e": found.edit_results(findings.edited) if findings.edited else None,
        "coco_o": detected and {key: detected[key] for key in ("results", "headline", "inputs", "n", "scorer")},
        "left_out": findings.left_out,
        "flags": found.flags(results),
        "weakest": found.weakest(results, findings),
    }


def _charts(score: Score, others: list[Score]) -> list[Chart]:
    """Draw one score, beside those of a few models trained here."""
    beside = [score, *_beside(score, others)]
    if score.method == "imagenet_e":
        return imagenet_e.charts(beside)
    if score.method == "coco_o":
        return coco_o.charts(beside)
    beside = [score, *(_as_far_as(score, other) for other in beside[1:])]
    models = deal(beside)[0]
    drawn = (*ares_bench_lines.charts(models), *ares_bench_pairs.charts(models))
    return [chart for chart in drawn if len(beside) > 1 or "-plane-" not in chart.name]


def _as_far_as(score: Score, other: Score) -> Score:
    """Return another model's score without what the audited one was not tried on, or is shown of it alone."""
    left = {key: score.results[key] for key in SHARED if not score.results[key]}
    curves = {norm: curve for norm, curve in other.results["curves"].items() if norm in score.results["curves"]}
    alone = {"curves": curves, "transfer": {}, "defences": {}}
    return other.model_copy(update={"results": other.results | left | alone})


def _beside(score: Score, others: list[Score]) -> list[Score]:
    sign = 1 if score.method == "imagenet_e" else -1
    ranked = sorted(others, key=lambda each: sign * each.headline.value)
    chosen = [*ranked[:BEST], *(each for each in ranked if each.subject == "plain"), *ranked[-1:]]
    return list({each.subject: each for each in chosen}.values())[:BESIDE]


def rows_of(card: dict) -> list[Row]:
    """Return the card's first table: one line a result, the weakest of many by name."""
    results, rows = card["results"], []
    if results:
        rows += _classifier_rows(results)
    if card["imagenet_e"]:
        rows += _edit_rows(card["imagenet_e"], card["weakest"]["edit"])
    if card["coco_o"]:
        rows += _domain_rows(card["coco_o"]["results"], card["weakest"]["domain"])
    return rows


def _classifier_rows(results: dict) -> list[Row]:
    eps, rows = results["eps"], [_row("Clean top-1", results["clean"])]
    for norm, curve in results["curves"].items():
        at = eps if norm == "linf" else None
        rows += _curve_rows(curve, norm=norm, at=at)
    if results["area_linf"]:
        note = f"mean over all budgets up to {budget(results['largest'])}"
        rows.append(_row("Area under the Linf curve", results["area_linf"], note))
    for attack, rate in results["attacks"].items():
        rows.append(_row(f"Top-1 under {words(attack)}", rate, f"Linf {budget(eps)}"))
    if results["steps"]:
        steps = results["steps"]
        ends = {"value": steps["robust_top1"][-1], "low": steps["low"][-1], "high": steps["high"][-1]}
        rows.append(_row(f"Top-1 under PGD, {steps['steps'][-1]} steps", ends, f"Linf {budget(eps)}"))
    if results["corruption_mean"]:
        worst, rate = min(results["corruptions"].items(), key=lambda pair: sum(pair[1]))
        note = f"lowest: {words(worst)}, {100 * sum(rate) / len(rate):.1f}{THIN}% over its five severities"
        rows.append(_row("Top-1, mean over corruptions", results["corruption_mean"], note))
    for name, defence in results["defences"].items():
        doubt = "in doubt, see above; " if defence["problems"] else ""
        clean = f"{doubt}clean {100 * defence['clean']['value']:.1f}{THIN}%"
        rows.append(_row(f"Behind {words(name)}, attacked", defence["robust"], clean))
    return rows


def _curve_rows(curve: dict, *, norm: str, at: float | None) -> list[Row]:
    median = curve["median_radius"]
    beyond = f"beyond {_radius(curve['budgets'][-1], norm)}" if median is None else _radius(median, norm)
    note = "half of the pictures break within it" if median != 0 else "half of the pictures are wrong as they are"
    rows = [Row(f"Median least radius, {words(norm)}", beyond, note=note)]
    if at is not None:
        place = max(i for i, eps in enumerate(curve["budgets"]) if eps <= at * (1 + 1e-4))
        found_ = {"value": curve["robust_top1"][place], "low": curve["low"][place], "high": curve["high"][place]}
        rows.insert(
            0, _row(f"Top-1 within {words(norm)} {budget(curve['budgets'][place])}", found_, "read off the curve")
        )
    return rows


def _radius(eps: float, norm: str) -> str:
    return f"{255 * eps:.3g}/255" if norm == "linf" and 0 < eps < 0.25 else f"{eps:.3g}"


def _edit_rows(table: dict, worst: dict) -> list[Row]:
    rows = [_row("ImageNet-E: top-1 on the originals", table["original"]["top1"])]
    if table["mean_drop"]:
        note = f"costliest: {SETTINGS[worst['name']]} ({words(worst['name'])}), {100 * worst['value']:.1f} points"
        rows.append(_row("ImageNet-E: mean drop", table["mean_drop"], note, unit="points"))
    return rows


def _domain_rows(table: dict, worst: dict) -> list[Row]:
    note = f"lowest: {worst['name']}, {100 * worst['value']:.1f}{THIN}%"
    return [
        _row("COCO-O: AP on the source domain", table["source"]["ap"]),
        _row("COCO-O: mean AP on the shifted domains", table["mean"]["ap"], note),
        _row("COCO-O: effective robustness", table["effective_robustness"], unit="points"),
    ]


def _row(what: str, found_: dict, note: str = "", *, unit: str = "%") -> Row:
    value = f"{100 * found_['value']:.1f}{THIN}{unit}".replace("-", "−")
    return Row(what, value, span(found_["low"], found_["high"]), note)


def render(card: dict, *, standings: list[Standing], charts: list[Chart], galleries: list[Gallery]) -> str:
    """Write the page; every value is escaped, and nothing outside the file is asked for."""
    template = environment(Path(__file__).parent / "templates").get_template("card.html.j2")
    reasons: dict[str, list[str]] = {}
    for name, reason in card["left_out"].items():
        reasons.setdefault(reason, []).append(name)
    return template.render(
        card=card,
        rows=rows_of(card),
        standings=standings,
        names=NAMES,
        charts=charts,
        galleries=galleries,
        unasked=reasons.pop(UNASKED, []),
        unfit=reasons,
        **embedded(),
    )
