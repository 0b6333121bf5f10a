"""What dvc.yaml has to say of each stage, worked out from the modules: `python -m tests.pipeline_deps [STAGE ...]`.

Code dependencies of a stage: the modules of `gauntlet` and `stages` that it imports, at the top of a module or
further down the chain, and the data files that these read beside themselves. Not: `PROTOCOL`, which decides no byte,
and a package's `__init__.py` that holds a docstring alone. Imports inside functions are optional: list those that
the stage really reaches with its parameters.
"""

import ast
import itertools
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from stages.contract import Contract, contract, names, section, variants

ROOT = Path(__file__).resolve().parents[1]
PROTOCOL = {"gauntlet/errors.py"} | {
    f"stages/{name}.py"
    for name in (
        "__init__",
        "__main__",
        "contract",
        "cost",
        "machine",
        "lifetime",
        "outputs",
        "progress",
        "files",
        "scores",
    )
}
PROTOCOL |= {"stages/checkpoint.py"}
"""The door and what stands beside it: they end a stage well or badly, but the bytes of a result are not theirs."""

NARROW = {"raw": {"stages/raw/archive.py", "stages/raw/members.py"}}
"""Methods whose stages need only list themselves and these: how a download went does not change what was kept."""


class Stage(NamedTuple):
    """One stage of dvc.yaml, its matrix resolved."""

    name: str
    cmd: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]


class Code(NamedTuple):
    """The files that a stage's module stands on."""

    needed: frozenset[str]
    lazy: frozenset[str]


def dvc_stages(root: Path = ROOT) -> list[Stage]:
    """Read dvc.yaml through DVC itself, so that matrix and interpolation are DVC's own."""
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return [
            Stage(
                name=stage.name,
                cmd=stage.cmd if isinstance(stage.cmd, str) else "\n".join(stage.cmd),
                deps=tuple(dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)),
                params=tuple(
                    name for dep in stage.deps if isinstance(dep, ParamsDependency) for name in dep.params or ()
                ),
                outs=tuple(out.def_path for out in stage.outs),
            )
            for stage in repo.index.stages
            if getattr(stage, "name", None)
        ]


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(), file)


def module_file(name: str) -> str | None:
    """Return the file of a project module relative to the root, or None."""
    place = name.replace(".", "/")
    return next((file for file in (f"{place}.py", f"{place}/__init__.py") if (ROOT / file).exists()), None)


def _parents(name: str) -> list[str]:
    return list(itertools.accumulate(name.split("."), lambda head, tail: f"{head}.{tail}"))


def imported(node: ast.stmt) -> list[str]:
    """List the absolute names that an import statement may load."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


@cache
def imports(file: str) -> frozenset[tuple[str, bool]]:
    """Return the project files that a file imports, and whether only inside a function."""

    def walk(node: ast.AST, lazy: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            for name in imported(child):
                if name.partition(".")[0] in ("gauntlet", "stages"):
                    yield from ((found, lazy) for each in _parents(name) if (found := module_file(each)))
            yield from walk(child, lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    return frozenset(walk(_tree(file), False))


@cache
def read_beside(file: str) -> frozenset[str]:
    """Return the data files and folders beside a module that it names in a string."""
    folder, found = (ROOT / file).parent, set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 2 < len(node.value) < 60:
            place = folder / node.value
            named = "/" not in node.value and not node.value.startswith(".") and place.suffix != ".py"
            if named and place.exists() and not (place / "__init__.py").exists():
                found.add(place.relative_to(ROOT).as_posix())
    return frozenset(found)


def _closure(files: Iterable[str], *, lazy: bool) -> set[str]:
    seen, waiting = set(), list(files)
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += [found for found, late in imports(file) if lazy or not late]
    return seen


def _only_docstring(file: str) -> bool:
    return file.endswith("__init__.py") and all(isinstance(node, ast.Expr) for node in _tree(file).body)


@cache
def code(name: str) -> Code:
    """Work out the code dependencies of the stage `name`, such as "coco_o.build"."""
    own = module_file(f"stages.{name}")
    parents = [file for each in _parents(f"stages.{name}")[:-1] if (file := module_file(each))]
    found = []
    for lazy in (False, True):
        modules = {file for file in _closure([own, *parents], lazy=lazy) if not _only_docstring(file)} - PROTOCOL
        found.append(modules | {place for file in modules for place in read_beside(file)})
    needed, whole = found
    if name.partition(".")[0] in NARROW:
        needed &= NARROW[name.partition(".")[0]] | {own}
    return Code(frozenset(needed), frozenset(whole - needed))


def _related(first: str, second: str) -> bool:
    return Path(first).is_relative_to(second) or Path(second).is_relative_to(first)


def _code_faults(stage: Stage, name: str) -> Iterator[str]:
    needed, lazy = code(name)
    listed = [dep for dep in stage.deps if dep.startswith(("gauntlet", "stages"))]
    for file in sorted(needed):
        if not any(Path(file).is_relative_to(dep) for dep in listed):
            yield f"deps lack    - {file}"
    for dep in listed:
        if not any(Path(file).is_relative_to(dep) for file in needed | lazy):
            yield f"deps have too much    - {dep}"


def _path_faults(stage: Stage, door: Contract, given: Mapping[str, str]) -> Iterator[str]:
    data = [dep for dep in stage.deps if not dep.startswith(("gauntlet", "stages"))]
    read = {given[flag] for flag in door.inputs if flag in given}
    written = {given[flag] for flag in door.outputs if flag in given}
    for path in sorted(read):
        if not any(_related(path, dep) for dep in data):
            yield f"deps lack    - {path}"
    for dep in data:
        if not any(_related(path, dep) for path in read):
            yield f"deps have too much    - {dep}  (no input flag names it)"
    for path in sorted(written - set(stage.outs)):
        yield f"outs or metrics lack    - {path}"
    for out in sorted(set(stage.outs) - written):
        yield f"outs or metrics have too much    - {out}  (no output flag names it)"


def _param_faults(stage: Stage, door: Contract, values: Mapping, variant: str) -> Iterator[str]:
    here = section(values, door.name)
    parts = variants(door, here)
    if door.variant and parts and variant not in parts:
        yield f"params.yaml, {door.name}: lacks a part for {variant!r}; got {', '.join(parts)}"
    wanted = {f"{door.name}.{variant}" if door.variant and parts else door.name} if here else set()
    for key in sorted(wanted - set(stage.params)):
        yield f"params lack    - {key}"
    for key in sorted(set(stage.params) - wanted - {door.name}):
        yield f"params have too much    - {key}"


def faults(stage: Stage, values: Mapping) -> list[str]:
    """List what is wrong with a stage of dvc.yaml, one line each; `values` is params.yaml."""
    title, _, variant = stage.name.partition("@")
    name = title.replace("-", ".", 1)
    if name not in names():
        return [f"must be named method-stage[@variant] after a module of stages/; there is no stages.{name}"]
    door = contract(name)
    words = shlex.split(stage.cmd)
    if words[:4] != ["python", "-m", "stages", name] or len(words) % 2:
        return [f"cmd must be `python -m stages {name} --flag value ...`; got {stage.cmd}"]
    pairs = zip(words[4::2], words[5::2], strict=True)
    given = {flag.removeprefix("--").replace("-", "_"): value for flag, value in pairs}
    found = [f"cmd lacks    --{flag.replace('_', '-')}" for flag in door.flags if flag not in given]
    found += [f"cmd has too much    --{flag.replace('_', '-')}" for flag in given if flag not in door.flags]
    if (given.get(door.variant, "") if door.variant else "") != variant:
        found.append(f"the name must end in @ and the value of --{door.variant}; got {stage.name}: {stage.cmd}")
    found += _path_faults(stage, door, given)
    found += _param_faults(stage, door, values, variant)
    return found + list(_code_faults(stage, name))


def unused(stages: Iterable[Stage], values: Mapping) -> list[str]:
    """List the stages that have parameters and that dvc.yaml does not run."""
    run = {stage.name.partition("@")[0].replace("-", ".", 1) for stage in stages}
    return sorted(name for name in set(names()) - run if section(values, name))


def main(wanted: list[str]) -> None:
    """Print the code dependencies of stages as lines for dvc.yaml."""
    for name in wanted or names():
        needed, lazy = code(name.partition("@")[0].replace("-", ".", 1))
        print(f"# {name}", *(f"      - {file}" for file in sorted(needed)), sep="\n")
        if lazy:
            print("      # optional: imported inside functions (list those it reaches), or changes no byte:")
            print(*(f"      # - {file}" for file in sorted(lazy)), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
