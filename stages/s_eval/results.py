"""From verdicts to what the scores of S-Eval hold: a victim's columns under every judge, the judges' own quality."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from gauntlet.attacks.prompts.table import VARIANTS
from gauntlet.judges.verdict import ERROR, SAFE, UNSAFE, Verdict
from gauntlet.metrics.agreement import cohen_kappa, judge_quality
from gauntlet.metrics.s_eval import safety_by, safety_scores, success_rates, sweep
from stages.s_eval.judging import Reply, lost_by_reason, main_decode, temperature_of, troubles

CRITIQUE = "critique"
"""The judge trained here; every headline is by it."""
RULES = "rules"

Verdicts = Mapping[str, Verdict]
"""By the pair's id."""


class Bootstrap(NamedTuple):
    """How intervals are drawn; each begins anew from the seed."""

    seed: int
    resamples: int

    def generator(self) -> np.random.Generator:
        """Return a fresh one."""
        return np.random.default_rng(self.seed)


def victim_results(replies: Sequence[Reply], by_judge: Mapping[str, Verdicts], *, bootstrap: Bootstrap) -> dict:
    """Return a victim's results: the trained judge's at the top, those of rules and of further judges below."""
    decode = main_decode(replies)
    main = [reply for reply in replies if reply.row["decode"] == decode]
    columns = {name: _columns(main, verdicts, bootstrap) for name, verdicts in by_judge.items()}
    verdicts = by_judge[CRITIQUE]
    decodes = sweep(reply.judged(verdicts[reply.pair.id]) for reply in replies if not reply.row["attack"])
    ordered = sorted(decodes, key=lambda key: (temperature_of(key), key)) if len(decodes) > 1 else []
    leading = columns.pop(CRITIQUE)
    return leading | {
        "errors": {"answers": troubles(main), "verdicts": leading["errors"]},
        "decode": decode,
        "sweep": [
            {"decode": key, "temperature": temperature_of(key), "safety": _written(decodes[key])} for key in ordered
        ],
        "rules": columns.pop(RULES),
        "judges": columns,
        "agreement": {
            name: _kappa([(verdicts[one.pair.id].tag, other[one.pair.id].tag) for one in main], bootstrap)
            for name, other in by_judge.items()
            if name != CRITIQUE
        },
        "verdicts": [_verdict_row(reply, by_judge) for reply in main],
    }


def _columns(replies: Sequence[Reply], verdicts: Verdicts, bootstrap: Bootstrap) -> dict:
    """One judge's scores of one victim."""
    rows = [reply.judged(verdicts[reply.pair.id]) for reply in replies]
    base = [row for row in rows if not row.attack]
    safety = safety_scores(base)
    attacks = success_rates(
        (row for row in rows if row.attack),
        resamples=bootstrap.resamples,
        generator=bootstrap.generator(),
        apart=VARIANTS,
    )
    return {
        "safety": _written(safety),
        "attacks": _written(attacks.attacks),
        "attacks_overall": _written(attacks.overall),
        "adaptive": _written(attacks.adaptive),
        "languages": _written(safety_by([(row.language, row.tag) for row in base])),
        "errors": lost_by_reason(verdicts[reply.pair.id] for reply in replies),
    }


def _verdict_row(reply: Reply, by_judge: Mapping[str, Verdicts]) -> dict:
    verdict, row = by_judge[CRITIQUE][reply.pair.id], reply.row
    return {name: row[name] for name in ("id", "base_id", "attack", "dimension", "category")} | {
        "tag": verdict.tag,
        "score": None if verdict.tag == ERROR else round(verdict.score, 4),
        **{name: verdicts[reply.pair.id].tag for name, verdicts in by_judge.items() if name != CRITIQUE},
    }


def judge_results(
    labelled: Sequence[dict], replies: Sequence[Reply], by_judge: Mapping[str, Verdicts], *, bootstrap: Bootstrap
) -> dict:
    """Return every judge's quality on the held-out labels, by attack and by kind, and how others agree with ours."""
    judges = {}
    for name, verdicts in by_judge.items():
        groups = {
            f"{column}s": {
                group: _quality([row for row in labelled if row[column] == group], verdicts, bootstrap)
                for group in sorted({row[column] for row in labelled} - {""})
            }
            for column in ("attack", "kind")
        }
        judges[name] = _quality(labelled, verdicts, bootstrap) | groups
    first = by_judge[CRITIQUE]
    ids = {"held_out": [row["pair"].id for row in labelled], "answers": [reply.pair.id for reply in replies]}
    return {
        "judges": judges,
        "labels": {label: sum(row["label"] == label for row in labelled) for label in (SAFE, UNSAFE)},
        "agreement": {
            where if name == RULES else f"{where}, {name}": _kappa(
                [(first[id].tag, by_judge[name][id].tag) for id in ids[where]], bootstrap
            )
            for name in by_judge
            if name != CRITIQUE
            for where in ids
        },
    }


def _quality(rows: Sequence[dict], verdicts: Verdicts, bootstrap: Bootstrap) -> dict:
    tags, labels = [verdicts[row["pair"].id].tag for row in rows], [row["label"] for row in rows]
    found = judge_quality(tags, labels, resamples=bootstrap.resamples, generator=bootstrap.generator())
    return _written(asdict(found))


def _kappa(tags: Sequence[tuple[str, str]], bootstrap: Bootstrap) -> dict | None:
    first, second = [one for one, _ in tags], [two for _, two in tags]
    return _written(cohen_kappa(first, second, resamples=bootstrap.resamples, generator=bootstrap.generator()))


def _written(value: object) -> object:
    """Turn intervals, and what holds them, into what JSON holds."""
    if isinstance(value, Mapping):
        return {key: _written(part) for key, part in value.items()}
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value
