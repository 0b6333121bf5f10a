"""ARES-Bench as pairs: whose attack carries over to whom, what corruptions and OOD sets cost, and input defences."""

from stages.summary.ares_bench_models import Model, Models
from stages.summary.charts import Chart, dots
from stages.summary.figures import percent, span, words
from stages.summary.heat import heat
from stages.summary.readings import Interval

WORST = "worst of all"
"""The layer of the transfer matrix that takes the lowest of all attacks."""
CLEAN, ROBUST, DOUBTED = "clean", "attacked", "attacked, in doubt"
DOT_PX = 9


def charts(models: Models) -> list[Chart]:
    """Draw the transfer matrix, the corruptions, the OOD sets and the defences, where there are any."""
    return [chart for chart in (_transfer(models), _corruptions(models), _ood(models), _defences(models)) if chart]


def _transfer(models: Models) -> Chart | None:
    targets = [model for model in models.ranked if model.ares.transfer]
    attacks = list(dict.fromkeys(attack for model in targets for attack in model.ares.transfer))
    if not attacks:
        return None
    rows = [row for model in targets for row in _carried(model, attacks=attacks)]
    sources = {row["row"] for row in rows}
    names = [model.name for model in targets]
    up = [*(name for name in names if name in sources), *sorted(sources - set(names))]
    numbers = [{"source": source, **_left(rows, source)} for source in up]
    return Chart(
        name=f"ares_bench-transfer-{models.data}",
        title=f"Transfer matrix: {models.data}",
        caption=(
            "Top-1 (%) that the model of the column keeps under attacks made on the model of the row: the "
            "fainter, the less is left. "
            "Outlined: attacked through itself, which should be the lowest of its column. "
            "Made at the budget of the test, whatever budget a model was trained at."
        ),
        spec=heat(
            rows,
            layers=[WORST, *map(words, attacks)] if len(attacks) > 1 else [words(attacks[0])],
            up=up,
            across=names,
            up_title="attack made on",
            across_title="model under attack",
            value="top-1 (%)",
            about=f"Top-1 of each model under attacks made on each model, on {models.data}.",
        ),
        columns={"source": "Attack made on, worst of all attacks"} | {name: name for name in names},
        rows=numbers,
        wide=True,
        decimals=1,
    )


def _carried(model: Model, *, attacks: list[str]) -> list[dict]:
    found = model.ares.transfer
    cells = [
        {"row": source, "column": model.name, "layer": words(attack), "value": percent(rate)}
        for attack in attacks
        for source, rate in found.get(attack, {}).items()
    ]
    if len(attacks) > 1:
        sources = dict.fromkeys(source for rates in found.values() for source in rates)
        cells += [
            {"row": source, "column": model.name, "layer": WORST}
            | {"value": percent(min(rates[source] for rates in found.values() if source in rates))}
            for source in sources
        ]
    return [cell | {"own": cell["row"] == model.name} for cell in cells]


def _left(rows: list[dict], source: str) -> dict:
    least: dict[str, float] = {}
    for row in rows:
        if row["row"] == source:
            least[row["column"]] = min(row["value"], least.get(row["column"], row["value"]))
    return least


def _corruptions(models: Models) -> Chart | None:
    tried = [model for model in models.ranked if model.ares.corruptions]
    if not tried:
        return None
    names = list(dict.fromkeys(name for model in tried for name in model.ares.corruptions))
    means = {model.name: {name: sum(rates) / len(rates) for name, rates in _rates(model)} for model in tried}
    rows = [
        {"row": words(name), "column": model, "value": percent(rate), "own": False}
        for model, found in means.items()
        for name, rate in found.items()
    ]
    return Chart(
        name=f"ares_bench-corruptions-{models.data}",
        title=f"Corruptions: {models.data}",
        caption=(
            "Top-1 (%), mean over severities 1 to 5. The numbers below hold mCE, which divides each error by AlexNet’s "
            "on ImageNet-C: here it orders models and is not to be held against the paper’s."
        ),
        spec=heat(
            rows,
            up=[words(name) for name in names],
            across=[model.name for model in tried],
            up_title="corruption",
            across_title="model",
            value="mean top-1 (%)",
            about=f"Mean top-1 of each model under each corruption on {models.data}.",
        ),
        columns={"name": "Model", "mce": "mCE (%)"} | {name: words(name) for name in names},
        rows=[
            {"name": model.name, "mce": "not run" if model.ares.mce is None else percent(model.ares.mce)}
            | {name: percent(rate) for name, rate in means[model.name].items()}
            for model in tried
        ],
        wide=True,
        decimals=1,
    )


def _rates(model: Model) -> list[tuple[str, list[float]]]:
    return [(name, rates) for name, rates in model.ares.corruptions.items() if rates]


def _ood(models: Models) -> Chart | None:
    tried = [model for model in models.ranked if model.ares.ood]
    if not tried:
        return None
    names = list(dict.fromkeys(name for model in tried for name in model.ares.ood))
    rows = [
        {"row": words(name), "column": model.name, "value": percent(found.top1.value), "own": False}
        for model in tried
        for name, found in model.ares.ood.items()
    ]
    return Chart(
        name=f"ares_bench-ood-{models.data}",
        title=f"Out-of-distribution sets: {models.data}",
        caption=(
            "Top-1 (%) on each set, under its own masks and maps; of a corrupted set the mean over corruptions and "
            "severities. The drop is from the clean pictures of the test, in points."
        ),
        spec=heat(
            rows,
            up=[words(name) for name in names],
            across=[model.name for model in tried],
            up_title="set",
            across_title="model",
            value="top-1 (%)",
            about=f"Top-1 of the models of {models.data} on each out-of-distribution set.",
        ),
        columns={"name": "Model", "set": "Set", "value": "Top-1 (%)", "range": "Interval", "drop": "Drop"}
        | ({"mce": "mCE (%)"} if any(found.mce for model in tried for found in model.ares.ood.values()) else {})
        | {"n": "Images"},
        rows=[_shifted(model, name) for model in tried for name in model.ares.ood],
        wide=True,
        decimals=1,
    )


def _shifted(model: Model, name: str) -> dict:
    found = model.ares.ood[name]
    return {"name": model.name, "set": words(name), **_dot(found.top1)} | {
        "drop": "" if found.drop is None else percent(found.drop),
        "mce": "" if found.mce is None else percent(found.mce),
    }


def _defences(models: Models) -> Chart | None:
    tried = [(model, name) for model in models.ranked for name in model.ares.defences]
    if not tried:
        return None
    rows = [row for model, name in tried for row in _defended(model, name)]
    return Chart(
        name=f"ares_bench-defences-{models.data}",
        title=f"Input defences: {models.data}",
        caption=(
            "Each model behind each defence, clean and attacked. Grey: AutoAttack’s self-checks speak against the "
            "number; the reasons stand in the table below and in the words above."
        ),
        spec=dots(
            rows,
            groups=list(dict.fromkeys(row["group"] for row in rows)),
            names=[name for name in (CLEAN, ROBUST, DOUBTED) if any(row["series"] == name for row in rows)],
            quiet=(DOUBTED,),
            group="model and defence",
            series="top-1",
            axis="top-1 (%)",
            about=f"Clean and attacked top-1 of each model behind each input defence on {models.data}.",
            dot_px=DOT_PX,
        ),
        columns={
            "group": "Model and defence",
            "series": "Images",
            "value": "Top-1 (%)",
            "range": "Interval",
            "problems": "What speaks against it",
        },
        rows=rows,
        wide=True,
    )


def _defended(model: Model, name: str) -> list[dict]:
    defence = model.ares.defences[name]
    group = {"group": f"{model.name}, {words(name)}"}
    return [
        group | {"series": CLEAN, "problems": ""} | _dot(defence.clean),
        group
        | {"series": DOUBTED if defence.problems else ROBUST, "problems": " ".join(defence.problems)}
        | _dot(defence.robust),
    ]


def _dot(found: Interval) -> dict:
    bar = {"low": percent(found.low), "high": percent(found.high), "range": span(found.low, found.high)}
    return {"value": percent(found.value), **bar, "n": found.n}
