"""Read the plan from DVC: which stages there are, what each waits for, and which are stale.

The truth is DVC's index, read in this process and read-only. Should those internals move, the same records
come from `dvc dag`, `dvc status` and dvc.yaml through `plan_by_command`; a test holds both to each other.
"""

import difflib
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Record(NamedTuple):
    """One DVC stage.

    Attributes:
        stage: Its name in dvc.yaml, matrix variant included (`coco_o-train@fcos`).
        parents: The stages whose outputs it reads, sorted.
        stale: Whether DVC says that it changed itself; its descendants are `due` without being stale.
        meta: Its `meta:` in dvc.yaml: `gpu`, `timeout` (s), `retries`, `seconds` (a hint for the order) and
            `seconds_of` (the same for variants that take much longer or shorter).
        outs: The paths it writes.
        loose: Those of `outs` that DVC does not cache (scores, which git keeps).
    """

    stage: str
    parents: tuple[str, ...]
    stale: bool
    meta: dict[str, Any]
    outs: tuple[str, ...]
    loose: tuple[str, ...]


class UnknownTarget(ValueError):
    """A target is neither a stage, nor a matrix group, nor a method."""


class Busy(RuntimeError):
    """Another run of this folder is at work."""


def plan(targets: Sequence[str] | None = None, *, root: Path | None = None) -> tuple[Record, ...]:
    """Return the records of `targets` and their ancestors, parents before children.

    Args:
        targets: Stage names, matrix groups (`coco_o-train`) or method slugs (`imagenet_e`); None means all.
        root: The DVC repository; None means the working folder.

    Raises:
        UnknownTarget: A target names nothing; the message gives the nearest names.
        Busy: A stage is being run, so that DVC cannot tell its state.
    """
    root = root or Path.cwd()
    try:
        return plan_in_process(targets, root=root)
    except (ImportError, AttributeError, TypeError):  # DVC's internals are not a public interface
        return plan_by_command(targets, root=root)


def plan_in_process(targets: Sequence[str] | None, *, root: Path) -> tuple[Record, ...]:
    """`plan` from `dvc.repo.Repo`."""
    from dvc.lock import LockError
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

    with Repo(str(root), _wait_for_lock=True) as repo:
        graph = repo.index.graph
        stages = {node.name: node for node in graph if isinstance(node, PipelineStage)}
        parents = {
            name: tuple(sorted(parent.name for parent in graph.successors(node) if isinstance(parent, PipelineStage)))
            for name, node in stages.items()
        }
        chosen = _with_ancestors(targets, parents)
        try:
            with repo.lock:  # each stage is asked by itself: `repo.status` reads dvc.yaml anew for each target
                return tuple(_record(stages[name], parents[name]) for name in chosen)
        except LockError as error:
            said = " ".join(str(error).split("\n\n")[0].split())
            raise Busy(f"one run at a time in one folder; DVC says: {said}; wait for it or end it") from None


def _record(stage: Any, parents: tuple[str, ...]) -> Record:
    """One record from DVC's own stage object."""
    return Record(
        stage.name,
        parents,
        bool(stage.status(check_updates=True)),
        dict(stage.meta or {}),
        tuple(sorted(out.def_path for out in stage.outs)),
        tuple(sorted(out.def_path for out in stage.outs if not out.use_cache)),
    )


def plan_by_command(targets: Sequence[str] | None, *, root: Path) -> tuple[Record, ...]:
    """`plan` from `dvc dag --dot`, `dvc status --json` and dvc.yaml."""
    dot = _ask(["dag", "--dot"], root=root)
    status = json.loads(_ask(["status", "--json"], root=root) or "{}")
    entries = _entries(yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8")))
    above: dict[str, set[str]] = {name: set() for name in re.findall(r'^"([^"]+)";?$', dot, re.M) if name in entries}
    for parent, child in re.findall(r'^"([^"]+)" -> "([^"]+)";?$', dot, re.M):
        if parent in above and child in above:
            above[child].add(parent)
    parents = {name: tuple(sorted(names)) for name, names in above.items()}
    return tuple(
        Record(
            name,
            parents[name],
            bool(status.get(name)),
            dict(entries[name].get("meta") or {}),
            *_outs(entries[name]),
        )
        for name in _with_ancestors(targets, parents)
    )


def due(records: Iterable[Record], *, force: bool = False) -> tuple[Record, ...]:
    """Return the stale records and all their descendants (every record with `force`), in the same order."""
    kept: dict[str, Record] = {}
    for record in records:
        if force or record.stale or any(parent in kept for parent in record.parents):
            kept[record.stage] = record
    return tuple(kept.values())


def _with_ancestors(targets: Sequence[str] | None, parents: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names of `targets` and everything above them, in topological and then alphabetical order."""
    wanted = set(parents) if not targets else set().union(*(_match(target, parents) for target in targets))
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in order:
            for parent in parents[name]:
                visit(parent)
            order[name] = None

    for name in sorted(wanted):
        visit(name)
    return list(order)


def _match(target: str, names: Iterable[str]) -> set[str]:
    names = list(names)
    found = {name for name in names if name == target or name.startswith((f"{target}@", f"{target}-"))}
    if found:
        return found
    known = {*names, *(name.split("@")[0] for name in names), *(name.split("-")[0] for name in names)}
    near = difflib.get_close_matches(target, known, n=3, cutoff=0.4)
    raise UnknownTarget(
        "a target must be a stage, a matrix group or a method of dvc.yaml; "
        f"got {target!r}; did you mean {' or '.join(near) or 'one of `dvc stage list`'}?"
    )


def _ask(argv: list[str], *, root: Path) -> str:
    """Standard output of one read-only `dvc` command."""
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", *argv]
    env = os.environ | {"DVC_NO_ANALYTICS": "1"}
    return subprocess.run(command, cwd=root, env=env, check=True, capture_output=True, text=True).stdout


def _entries(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Expand the matrix of each stage of dvc.yaml whose values are written out (not taken from params)."""
    entries: dict[str, dict[str, Any]] = {}
    for name, entry in (document.get("stages") or {}).items():
        matrix = entry.get("matrix")
        if not matrix:
            entries[name] = entry
            continue
        for values in itertools.product(*matrix.values()):
            item = dict(zip(matrix, map(str, values), strict=True))
            entries[f"{name}@{'-'.join(item.values())}"] = _fill(entry, item)
    return entries


def _fill(value: Any, item: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\$\{item\.(\w+)\}", lambda match: item[match[1]], value)
    if isinstance(value, list):
        return [_fill(each, item) for each in value]
    if isinstance(value, dict):
        return {_fill(key, item): _fill(each, item) for key, each in value.items()}
    return value


def _outs(entry: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All outputs of a dvc.yaml entry, and those with `cache: false`."""
    outs: dict[str, bool] = {}
    for kind in ("outs", "metrics", "plots"):
        for out in entry.get(kind) or ():
            flags = out if isinstance(out, dict) else {out: {}}
            outs |= {path: (settings or {}).get("cache", True) for path, settings in flags.items()}
    return tuple(sorted(outs)), tuple(sorted(path for path, cached in outs.items() if not cached))
