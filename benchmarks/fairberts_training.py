"""fairBERTs against plain and the baselines over several seeds: accuracy, gaps, leakage, transfer, in one run.

    python benchmarks/fairberts_training.py --settings toxicity_gender sentiment_race --seeds 0 1 2

Trains what `fairberts.train` trains, with its parameters, and measures on `test`, probes fitted on `probe`. Prints a
Markdown table: mean over the seeds, and the half-width of its 95% interval by Student's t.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from gauntlet.metrics.leakage import leakage
from gauntlet.models.sentence_encoder import LowerLayers, SentenceClassifier, predictions
from gauntlet.readers.encoders import Encoder, read_encoder
from gauntlet.training.fairberts.choice import held_out_figures
from gauntlet.training.fairberts.rows import Rows
from gauntlet.training.fairberts.suite import Suite
from stages.fairberts.train import SETTINGS, Params, split_rows

COLUMNS = ("accuracy", "dp gap", "eo gap", "logistic", "mlp", "majority")
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}
"""97.5% quantiles by number of seeds."""


def measured(model: SentenceClassifier, *, test: Rows, probe: Rows) -> tuple[float, ...]:
    """Return the columns of a model."""
    said, shown = predictions(model, test.states), predictions(model, probe.states)
    figures = held_out_figures(said.probabilities.tolist(), test.y.tolist(), test.z.tolist())
    positive = said.probabilities > 0.5
    rates = [positive[test.z == group].float().mean().item() for group in (0, 1)]
    told = leakage(
        shown.states.numpy(),
        probe.z.numpy(),
        test_states=said.states.numpy(),
        test_z=test.z.numpy(),
        seed=0,
        probes=["logistic", "mlp"],
    )
    probes = [told.probes[name].value for name in ("logistic", "mlp")]
    return (figures.accuracy, abs(rates[0] - rates[1]), figures.equalized_odds_gap, *probes, told.majority)


def run(setting: str, seeds: list[int], params: Params, *, encoder: Encoder) -> dict[str, list[tuple[float, ...]]]:
    """Train and measure all models, those of a sweep that were chosen, seed by seed."""
    lower = LowerLayers(encoder, frozen_layers=params.frozen_layers, max_tokens=params.max_tokens)
    rows = {
        split: split_rows(Path("data/built/fairberts"), setting, split=split, lower=lower)
        for split in ("train", "held_out", "probe", "test")
    }
    found: dict[str, list[tuple[float, ...]]] = {}
    for seed in seeds:
        since = time.perf_counter()
        suite = Suite(lower, rows["train"], rows["held_out"], replace(params.recipe(), seed=seed))
        for each in suite.models():
            if each.chosen:
                name = each.method if each.role == "method" else each.name
                found.setdefault(name, []).append(measured(each.model, test=rows["test"], probe=rows["probe"]))
        print(f"seed {seed}: {time.perf_counter() - since:.0f} s", file=sys.stderr, flush=True)
    return found


def table(found: dict[str, list[tuple[float, ...]]]) -> str:
    """Return Markdown."""
    lines = [f"| method | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, rows in found.items():
        cells = [_cell(values) for values in zip(*rows, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: tuple[float, ...]) -> str:
    if len(values) not in STUDENT:
        return f"{mean(values):.3f}"
    return f"{mean(values):.3f} ± {STUDENT[len(values)] * stdev(values) / len(values) ** 0.5:.3f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", nargs="+", default=["toxicity_gender", "sentiment_race"], choices=SETTINGS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    asked = parser.parse_args()
    sections = yaml.safe_load(asked.params.read_text())["fairberts"]["train"]
    encoder = read_encoder(Path("data/raw/minilm.tar"))
    for setting in asked.settings:
        told = Params.model_validate(sections[setting])
        print(
            f"## {setting}, seeds {asked.seeds}\n\n{table(run(setting, asked.seeds, told, encoder=encoder))}\n",
            flush=True,
        )


if __name__ == "__main__":
    main()
