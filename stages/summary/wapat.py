"""WAPAT in the report: word error rates of each training method, clean, by domain, by corruption and under attack."""

from collections.abc import Iterator

from stages.summary.charts import Chart, dots
from stages.summary.figures import THIN, percent, span, words
from stages.summary.lines import bands, loudest
from stages.summary.panels import panels
from stages.summary.readings import Interval, Score
from stages.summary.speech_results import Attack, Wapat, wapat

REFERENCES = ("whisper",)
"""Recognisers that no method trained here; they stay grey."""
COMPARED = ("plain", "wapat")
"""Variants that the overview always shows."""
CLEAN, DOMAINS, CORRUPTIONS = "clean", "mean of unseen domains", "mean of the corruptions"
FEATURES, WAVEFORMS = "PGD on features", "PGD on waveforms"
LARGEST_DOT_PX = 14
AXES = {"feature": "eps (standard deviations of the features)", "waveform": "eps (on samples in [-1, 1])"}
AXIS_PX = 170
"""Width of the names of domains and tests."""
GROUP_PX = 110
"""Height of a group of dots before they shrink."""


def ranked(scores: list[Score]) -> list[tuple[str, Wapat]]:
    """Return names and results, the lowest mean over the domains first, references last."""
    found = [(score.subject, wapat(score)) for score in scores]
    return sorted(found, key=lambda each: (each[0] in REFERENCES, each[1].mean_of_domains.value, each[0]))


def table(scores: list[Score]) -> list[dict]:
    """List every word error rate with its interval, for `dvc plots`; rates are at least 0, x is a severity or eps."""
    return [
        {"subject": score.subject, "quantity": quantity, "name": name, "x": x}
        | {"wer": wer.value, "low": wer.low, "high": wer.high, "n": wer.n}
        for score in scores
        for quantity, name, x, wer in _quantities(wapat(score))
    ]


def _quantities(found: Wapat) -> Iterator[tuple[str, str, float | str, Interval]]:
    yield "clean", "", "", found.clean.wer
    yield "mean_of_domains", "", "", found.mean_of_domains
    if found.mean_of_corruptions:
        yield "mean_of_corruptions", "", "", found.mean_of_corruptions
    for domain, wer in sorted(found.domains.items()):
        yield "domain", domain, "", wer
    for shift, severities in sorted(found.corruptions.items()):
        for severity, wer in sorted(severities.items()):
            yield "corruption", shift, severity, wer
    for name, attacks in (("feature_pgd", found.feature_pgd), ("waveform_pgd", found.waveform_pgd)):
        for attack in attacks:
            yield name, "" if attack.steps is None else str(attack.steps), attack.eps, attack.wer


def detail(score: Score) -> str:
    """Say the word error rate on clean speech, over the corruptions and under the strongest attack on features."""
    found = wapat(score)
    said = [f"clean {_percent(found.clean.wer)}"]
    if found.mean_of_corruptions:
        said.append(f"corruptions {_percent(found.mean_of_corruptions)}")
    if found.feature_pgd:
        said.append(f"feature PGD {_percent(_strongest(found.feature_pgd).wer)}")
    return ", ".join(said)


def leading(scores: list[Score]) -> list[Score]:
    """Return those that the overview shows at once: the lowest mean over the domains and those always compared."""
    names = {*COMPARED, *(name for name, _ in ranked(scores)[:1])}
    return [score for score in scores if score.subject in names]


def finding(scores: list[Score]) -> str:
    """Say which variant errs least where, and whether the interval of the plain one leaves that open."""
    variants = [each for each in ranked(scores) if each[0] not in REFERENCES]
    if not variants:
        return ""
    said = [f"Lowest word error rate over unseen domains: {_against_plain(variants, 'mean_of_domains')}."]
    if any(found.mean_of_corruptions for _, found in variants):
        said.append(f"Over the corruptions: {_against_plain(variants, 'mean_of_corruptions')}.")
    attacked = [(name, found) for name, found in variants if found.feature_pgd]
    if attacked:
        name, found = min(attacked, key=lambda each: _strongest(each[1].feature_pgd).wer.value)
        strongest = _strongest(found.feature_pgd)
        said.append(f"Under PGD on features at eps {strongest.eps:g}: {words(name)}, {_whole(strongest.wer)}.")
    return " ".join(said)


def _against_plain(variants: list[tuple[str, Wapat]], quantity: str) -> str:
    rates = {name: rate for name, found in variants if (rate := getattr(found, quantity))}
    best = min(rates, key=lambda name: rates[name].value)
    said, plain = f"{words(best)}, {_whole(rates[best])}", rates.get("plain")
    if best == "plain" or plain is None:
        return said
    apart = "the intervals overlap" if rates[best].high >= plain.low else "the intervals do not overlap"
    return f"{said}; plain {_whole(plain)}, {apart}"


def _percent(rate: Interval) -> str:
    return f"{100 * rate.value:.1f}{THIN}%"


def _whole(rate: Interval) -> str:
    return f"{_percent(rate)} {span(rate.low, rate.high)}"


def _strongest(attacks: list[Attack]) -> Attack:
    return max(attacks, key=lambda attack: (attack.eps, attack.steps or 0))


def charts(scores: list[Score]) -> list[Chart]:
    """Draw the variants side by side, then by corruption and severity, by domain, and over the attacks' budget."""
    found = ranked(scores)
    attacks = {
        "feature": (FEATURES, {name: each.feature_pgd for name, each in found if each.feature_pgd}),
        "waveform": (WAVEFORMS, {name: each.waveform_pgd for name, each in found if each.waveform_pgd}),
    }
    drawn = [_variants(found), _severity(found), _domains(found)]
    drawn += [_attack(slug, title, by_name) for slug, (title, by_name) in attacks.items()]
    return [chart for chart in drawn if chart]


def _point(name: str, rate: Interval) -> dict:
    return (
        {"series": words(name), "value": percent(rate.value), "low": percent(rate.low), "high": percent(rate.high)}
        | {"range": span(rate.low, rate.high), "n": rate.n}
    )  # fmt: skip


def _names(found: list[tuple[str, Wapat]]) -> dict:
    """Return the order of the series and those that stay grey, as every chart takes them."""
    names = [words(name) for name, _ in found]
    grey = {words(name) for name in REFERENCES}
    return {"names": names, "quiet": tuple(name for name in names if name in grey)}


def _dot_px(series: int) -> int:
    return max(5, min(LARGEST_DOT_PX, GROUP_PX // max(series, 1)))


def _parts(found: Wapat) -> dict[str, Interval]:
    """Return what the first chart compares, as far as it was measured."""
    parts = {CLEAN: found.clean.wer, DOMAINS: found.mean_of_domains, CORRUPTIONS: found.mean_of_corruptions}
    for title, attacks in ((FEATURES, found.feature_pgd), (WAVEFORMS, found.waveform_pgd)):
        parts[title] = _strongest(attacks).wer if attacks else None
    return {title: rate for title, rate in parts.items() if rate}


def _variants(found: list[tuple[str, Wapat]]) -> Chart:
    parts = {name: _parts(each) for name, each in found}
    groups = [
        part for part in (CLEAN, DOMAINS, CORRUPTIONS, FEATURES, WAVEFORMS) if any(part in p for p in parts.values())
    ]
    rows = [{"group": part} | _point(name, rate) for name, rates in parts.items() for part, rate in rates.items()]
    numbers = [
        {"name": words(name)}
        | {part: f"{percent(rates[part].value):.1f} {span(rates[part].low, rates[part].high)}" for part in rates}
        | {"cer": _percent(each.clean.cer) if each.clean.cer else "", "n": each.mean_of_domains.n}
        for (name, each), rates in zip(found, parts.values(), strict=True)
    ]
    return Chart(
        name="wapat-variants",
        title="Word error rate of each variant",
        caption=(
            "Dot: word error rate, lower is better. Bar: its interval over utterances. Variants by the mean of "
            "unseen domains. The attacks are those of the largest budget; the last figures show all. Grey: a "
            f"reference, not trained here. Text is normalised by {found[0][1].normalizer}."
        ),
        spec=dots(
            rows,
            groups=groups,
            **_names(found),
            group="test",
            series="variant",
            axis="word error rate (%)",
            about="Word error rate of each variant on clean speech, over domains, over corruptions and under attack.",
            dot_px=_dot_px(len(found)),
            axis_px=AXIS_PX,
        ),
        columns={"name": "Variant"}
        | {part: f"{part[0].upper()}{part[1:]} (%)" for part in groups}
        | {"cer": "CER, clean", "n": "Utterances of the domains"},
        rows=numbers,
        wide=True,
    )


def _severity(found: list[tuple[str, Wapat]]) -> Chart | None:
    tested = [(name, each) for name, each in found if each.corruptions]
    shifts = sorted({shift for _, each in tested for shift in each.corruptions})
    if not shifts:
        return None
    rows = [
        {"group": words(shift), "x": severity, "y": point["value"]} | point
        for name, each in tested
        for shift, severities in sorted(each.corruptions.items())
        for severity, rate in sorted(severities.items())
        if (point := _point(name, rate))
    ]
    return Chart(
        name="wapat-severity",
        title="Word error rate against severity, by corruption",
        caption=(
            "One panel a corruption; within it, the severity rises from left to right. The pointer says severity, rate "
            "and interval."
        ),
        spec=panels(
            rows,
            groups=[words(shift) for shift in shifts],
            **_names(tested),
            group="corruption",
            series="variant",
            x="severity",
            y="word error rate (%)",
            about="Word error rate of each variant over the severity of each corruption.",
        ),
        columns={
            "group": "Corruption",
            "x": "Severity",
            "series": "Variant",
            "value": "WER (%)",
            "range": "Interval",
            "n": "Utterances",
        },
        rows=rows,
        wide=True,
    )


def _domains(found: list[tuple[str, Wapat]]) -> Chart:
    domains = sorted({domain for _, each in found for domain in each.domains})
    seen = {domain for _, each in found for domain, was in each.per_domain_seen.items() if was}
    said = {domain: f"{words(domain)}{' (trained on)' if domain in seen else ''}" for domain in domains}
    order = sorted(domains, key=lambda domain: (domain not in seen, domain))
    rows = [
        {"group": said[domain]} | _point(name, rate) for name, each in found for domain, rate in each.domains.items()
    ]
    return Chart(
        name="wapat-domains",
        title="Word error rate by domain",
        caption="Dot: word error rate on a domain’s test sentences. Bar: its interval. No sentence is in two splits.",
        spec=dots(
            rows,
            groups=[said[domain] for domain in order],
            **_names(found),
            group="domain",
            series="variant",
            axis="word error rate (%)",
            about="Word error rate of each variant on each domain.",
            dot_px=_dot_px(len(found)),
            axis_px=AXIS_PX,
        ),
        columns={"group": "Domain", "series": "Variant", "value": "WER (%)", "range": "Interval", "n": "Utterances"},
        rows=rows,
    )


def _attack(slug: str, title: str, attacks: dict[str, list[Attack]]) -> Chart | None:
    if not attacks:
        return None
    numbers = [
        {"x": attack.eps, "y": percent(attack.wer.value), "steps": "" if attack.steps is None else attack.steps}
        | {"snr": "" if attack.snr_db is None else f"{attack.snr_db:.1f}"}
        | _point(name, attack.wer)
        for name, each in attacks.items()
        for attack in sorted(each, key=lambda attack: (attack.eps, attack.steps or 0))
    ]
    rows = list({(row["series"], row["x"]): row for row in numbers}.values())
    names = [words(name) for name in attacks]
    shown = {"x": "eps", "steps": "Steps", "snr": "SNR (dB)"}
    columns = {key: heading for key, heading in shown.items() if any(row[key] != "" for row in numbers)}
    return Chart(
        name=f"wapat-{slug}",
        title=f"Word error rate under {title}",
        caption=(
            "At each budget, of the most steps. The line under the pointer stands out with its interval; the legend "
            "singles one out. Drag to pan, Ctrl-scroll to zoom."
        ),
        spec=bands(
            rows,
            names=names,
            quiet=loudest(names),
            x=AXES[slug],
            y="word error rate (%)",
            about=f"Word error rate of each variant over the budget of {title}.",
            series="variant",
        ),
        columns={"series": "Variant"} | columns | {"value": "WER (%)", "range": "Interval", "n": "Utterances"},
        rows=numbers,
    )
