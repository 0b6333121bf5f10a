"""COCO-O in the report: AP by domain, what each domain costs, and shifted against source AP."""

from gauntlet.metrics.coco_o import PUBLISHED, SLOPE, relative_drop
from stages.summary.charts import Chart, dots, scatter
from stages.summary.figures import THIN, percent, points, span
from stages.summary.readings import Interval, Score, interval, maybe_interval

SOURCE = "source"
BESIDE = "DETR (R50), published"
"""A published detector whose AP is known by domain; shown in grey."""
NAMED = ("Faster R-CNN (R50-FPN)", "GLIP-L (Swin-L)", "DINOv3 (Plain-DETR, frozen)")
"""Published detectors that carry their name in the scatter; the pointer names the others."""


def ap_by_domain(score: Score) -> dict[str, Interval]:
    """Return AP of the source and of each shifted domain, the source first; rates in [0, 1]."""
    domains = {name: interval(score, "domains", name, "ap") for name in score.results.get("domains", {})}
    return {SOURCE: interval(score, "source", "ap")} | domains


def table(scores: list[Score]) -> list[dict]:
    """List AP and relative drop with their intervals by detector and domain, for `dvc plots`; rates in [0, 1].

    A detector without any AP on the source domain has no relative drop.
    """
    rows = []
    for score in scores:
        for domain, ap in ap_by_domain(score).items():
            row = {"subject": score.subject, "domain": domain, "ap": ap.value, "low": ap.low, "high": ap.high}
            drop = None if domain == SOURCE else maybe_interval(score, "domains", domain, "relative_drop")
            if drop:
                row |= {"relative_drop": drop.value, "drop_low": drop.low, "drop_high": drop.high}
            rows.append(row | {"n": ap.n})
    return rows


def detail(score: Score) -> str:
    """Say what the source AP was, what share of it is lost and what Effective Robustness that makes."""
    source, drop = interval(score, "source", "ap").value, maybe_interval(score, "mean", "relative_drop")
    lost = f"{100 * drop.value:.1f}{THIN}%" if drop else "not defined"
    robustness = points(interval(score, "effective_robustness").value)
    return f"source {100 * source:.1f}{THIN}%, relative drop {lost}, ER {robustness} points"


def finding(scores: list[Score]) -> str:
    """Say on which domains each detector falls, by more than its intervals leave open, and where most."""
    said = []
    for score in scores:
        drops = {domain: interval(score, "domains", domain, "drop") for domain in score.results["domains"]}
        sure = [domain for domain, drop in drops.items() if drop.low > 0]
        most = max(drops, key=lambda domain: drops[domain].value)
        where = "every domain" if len(sure) == len(drops) else ", ".join(sure) or "no domain for certain"
        said.append(f"{score.subject} on {where}, most on {most} ({100 * drops[most].value:.1f}{THIN}points)")
    return f"Falls below its source AP: {'; '.join(said)}."


def charts(scores: list[Score]) -> list[Chart]:
    """Draw the three figures of the section."""
    rows = table(scores)
    order = sorted({row["domain"] for row in rows} - {SOURCE}, key=lambda domain: -_mean_drop(rows, domain))
    fallen = [row for row in rows if "relative_drop" in row]
    return [_ap(rows, order), *([_drop(fallen, order)] if fallen else []), _scatter(scores)]


def _mean_drop(rows: list[dict], domain: str) -> float:
    drops = [row.get("relative_drop", 0.0) for row in rows if row["domain"] == domain]
    return sum(drops) / len(drops)


def _detectors(rows: list[dict]) -> list[str]:
    return list(dict.fromkeys(row["subject"] for row in rows))


def _ap(rows: list[dict], order: list[str]) -> Chart:
    shown = [
        _dot(row["subject"], row["domain"], row["ap"]) | _bar(row["low"], row["high"]) | {"n": row["n"]} for row in rows
    ]
    return Chart(
        name="coco_o-ap",
        title="AP on each domain",
        caption="Dot: AP over IoU 0.50–0.95. Bar: its interval. Domains by what they cost, the costliest first.",
        spec=dots(
            shown,
            groups=[SOURCE, *order],
            names=_detectors(rows),
            group="domain",
            series="detector",
            axis="AP (%)",
            about="Average precision of each detector on the source domain and on each shifted domain.",
        ),
        columns={"group": "Domain", "series": "Detector", "value": "AP (%)", "range": "Interval", "n": "Images"},
        rows=shown,
    )


def _drop(rows: list[dict], order: list[str]) -> Chart:
    shown = [
        _dot(row["subject"], row["domain"], row["relative_drop"]) | _bar(row["drop_low"], row["drop_high"])
        for row in rows
    ]
    detr = next(row for row in PUBLISHED if row.source == "Frozen-DETR")
    known = {domain: float(relative_drop(ap, detr.ap_coco)) for domain, ap in detr.domains.items() if domain in order}
    shown += [_dot(BESIDE, domain, drop) for domain, drop in known.items()]
    return Chart(
        name="coco_o-drop",
        title="Relative drop on each domain",
        caption="Share of the source AP that is lost. Grey: DETR (R50) on the real COCO-O, for the order of domains.",
        spec=dots(
            shown,
            groups=order,
            names=[*_detectors(rows), BESIDE],
            quiet=(BESIDE,),
            group="domain",
            series="detector",
            axis="relative drop of AP (%)",
            about="Share of the source AP that each detector loses on each shifted domain.",
        ),
        columns={"group": "Domain", "series": "Detector", "value": "Relative drop (%)", "range": "Interval"},
        rows=shown,
    )


def _dot(detector: str, domain: str, rate: float) -> dict:
    return {"series": detector, "group": domain, "value": percent(rate), "range": "not stated"}


def _bar(low: float, high: float) -> dict:
    return {"low": percent(low), "high": percent(high), "range": span(low, high)}


def _scatter(scores: list[Score]) -> Chart:
    published = [
        {"name": row.detector, "x": percent(row.ap_coco), "y": percent(row.ap_coco_o)}
        | {"er": points(row.effective_robustness), "label": row.detector if row.detector in NAMED else ""}
        for row in PUBLISHED
    ]
    ours = list(map(_point, scores))
    return Chart(
        name="coco_o-scatter",
        title="Shifted against source AP",
        caption=(
            f"Dashed: {SLOPE} × source AP, the paper’s trend of classic detectors; the height above it is effective "
            "robustness. Grey: published detectors on COCO and the real COCO-O. Colour: ours, on our own data, so the "
            "line is a reference and no prediction. Drag to pan, Ctrl-scroll to zoom."
        ),
        spec=scatter(
            ours,
            published=published,
            names=[score.subject for score in scores],
            slope=SLOPE,
            x_axis="AP on the source domain (%)",
            y_axis="mean AP on the shifted domains (%)",
            about="Mean AP on the shifted domains against AP on the source domain, with the line of slope 0.45.",
        ),
        columns={
            "name": "Detector",
            "x": "Source AP (%)",
            "y": "Shifted AP (%)",
            "er": "ER (points)",
            "range": "Interval of ER",
        },
        rows=ours + [row | {"name": f"{row['name']}, published"} for row in published],
        wide=True,
    )


def _point(score: Score) -> dict:
    source, shifted = interval(score, "source", "ap"), interval(score, "mean", "ap")
    robustness = interval(score, "effective_robustness")
    return (
        {"name": score.subject, "x": percent(source.value), "y": percent(shifted.value)}
        | {"x_low": percent(source.low), "x_high": percent(source.high)}
        | {"y_low": percent(shifted.low), "y_high": percent(shifted.high)}
        | {"er": points(robustness.value), "range": span(robustness.low, robustness.high)}
    )
