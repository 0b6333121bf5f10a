"""The flow `sweep`: one DVC experiment a point of a grid of params, each in a folder of its own.

Every point is a full pipeline run from the last commit (`dvc exp run --temp`), so stages that a point does not
change come from the run cache. `dvc exp apply NAME` takes a point over.
"""

import itertools
import json
import os
import queue
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner

from flows.leash import dvc
from flows.runner import Outcome

MOST_POINTS = 200


def points(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return every combination of the grid's values, the last key fastest.

    Raises:
        ValueError: The grid is empty, holds an empty or bare value, or has more than 200 points.

    >>> points({"coco_o.train.epochs": [1, 2], "seed": [0]})
    [{'coco_o.train.epochs': 1, 'seed': 0}, {'coco_o.train.epochs': 2, 'seed': 0}]
    """
    for name, values in grid.items():
        if isinstance(values, str | bytes) or not isinstance(values, Sequence) or not values:
            raise ValueError(f"grid must map a param to a list of values; got {name}: {values!r}; write [{values!r}]")
    found = [dict(zip(grid, combination, strict=True)) for combination in itertools.product(*grid.values())]
    if not grid or len(found) > MOST_POINTS:
        raise ValueError(f"grid must give 1 to {MOST_POINTS} points; got {len(found) if grid else 0}")
    return found


def settings(point: Mapping[str, Any]) -> list[str]:
    """Return the `-S` arguments of one point; values in JSON, which is what DVC's override grammar reads.

    >>> settings({"a.b": 0.5, "c": "fog"})
    ['-S', 'a.b=0.5', '-S', 'c=fog']
    """
    pairs = ((name, value if isinstance(value, str) else json.dumps(value)) for name, value in point.items())
    return [word for name, value in pairs for word in ("-S", f"{name}={value}")]


def headlines(shown: Sequence[Mapping[str, Any]], names: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row an experiment from `dvc exp show --json`: the point, then each score's headline.

    Args:
        shown: The parsed JSON: commits, each with its experiments.
        names: Point by experiment name; other experiments are left out.
    """
    rows = []
    for commit in shown:
        for experiment in commit.get("experiments") or ():
            name = experiment.get("name")
            if name not in names:
                continue
            data = (experiment["revs"][0].get("data") or {}).get("metrics") or {}
            scores = {}
            for path, content in sorted(data.items()):
                headline = (content.get("data") or {}).get("headline")
                if isinstance(headline, Mapping) and "value" in headline:
                    scores[f"{Path(path).parent.name}/{Path(path).stem} {headline.get('name', '')}"] = headline["value"]
            rows.append({"experiment": name, **names[name], **scores})
    return rows


@task(cache_policy=NO_CACHE)
def experiment(name: str, point: dict[str, Any], targets: list[str]) -> State:
    """Run one point."""
    logger = get_run_logger()
    argv = ["exp", "run", "--temp", "--name", name, *settings(point), *targets]
    ended = dvc(argv, root=Path.cwd(), on_line=lambda text: logger.info("%s", text))
    outcome = Outcome(name, "failed" if ended.exit_code else "ran", ended.exit_code, 0.0, ended.lines[-40:])
    if ended.exit_code:
        return Failed(message=f"{name}: {outcome.reason}")
    return Completed(name="Ran", message=name)


@flow(task_runner=ThreadPoolTaskRunner())
def sweep(grid: dict[str, list], targets: list[str] | None = None, workers: int | None = None) -> State:
    """Run the grid and leave its scores as a table.

    Args:
        grid: Param (`coco_o.train.epochs`) to the values it is to take; every combination is a point.
        targets: Stages to bring up to date in each point; none means all.
        workers: Points side by side; none means one a core.
    """
    try:
        todo = points(grid)
    except ValueError as error:
        return Failed(name="BadParams", message=str(error))
    stamp = os.urandom(3).hex()
    names = {f"sweep-{stamp}-{number}": point for number, point in enumerate(todo)}
    lanes, ended = workers or len(os.sched_getaffinity(0)), queue.SimpleQueue()
    futures, waiting, at_work = {}, list(names), 0
    while waiting or at_work:
        while waiting and at_work < lanes:
            name = waiting.pop(0)
            futures[name] = experiment.with_options(task_run_name=name).submit(name, names[name], targets or [])
            futures[name].add_done_callback(lambda _future: ended.put(None))
            at_work += 1
        ended.get()
        at_work -= 1
    shown = dvc(["exp", "show", "--json"], root=Path.cwd())
    text = next((line for line in shown.lines if line.startswith("[")), "[]")
    rows = headlines(json.loads(text), names)
    create_table_artifact(rows or [{"experiment": "none"}], key="sweep", description=json.dumps(grid))
    for future in futures.values():
        future.wait()
    failed = [future.state.message for future in futures.values() if not future.state.is_completed()]
    return Failed(message="\n".join(map(str, failed))) if failed else Completed(message=f"{len(rows)} experiments")
