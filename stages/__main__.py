"""The one door to all stages: `python -m stages coco_o.build --scenes data/built/scenes ...`.

It alone reads params.yaml and the command line. It checks parameters and inputs, fixes device and threads, hands out
temporary outputs that are moved when the stage has ended well, and ends with 0, 65 (bad data), 69 (something is
away), 75 (try again), 78 (bad parameters), each with one line, or with 70 and a traceback for a mistake of ours.
`python -m stages --check` checks every section of params.yaml and runs nothing; `--apply params/full.yaml` writes the
values of that file over params.yaml, if the result passes the same check.
"""

import argparse
import errno
import os
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import yaml

from gauntlet.errors import ArgumentError, DataError, RetryableError, UnavailableError
from stages.contract import Contract, contract, names, nearest, parse, section, variants
from stages.cost import write_cost
from stages.lifetime import end_with_dvc, unwind_on_sigterm
from stages.machine import limit_threads, thread_count
from stages.outputs import whole
from stages.overlay import overlay

EXIT_CODES = {DataError: 65, UnavailableError: 69, RetryableError: 75, ArgumentError: 78}


def read_params(path: Path = Path("params.yaml")) -> dict:
    """Read params.yaml, refusing a file that is not a mapping."""
    try:
        values = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ArgumentError(f"{path} must exist in the current folder; run from the project's root") from None
    except yaml.YAMLError as error:
        raise ArgumentError(f"{path} must be YAML; {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ArgumentError(f"{path} must hold sections; got {type(values).__name__}")
    return values


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line and exit code 78, like every other wrong parameter's."""

    def error(self, message: str) -> NoReturn:
        """Raise the complaint as ArgumentError."""
        raise ArgumentError(f"the command line must fit the stage; {message}; `{self.prog} --help` shows it")


def _arguments(stage: Contract, words: list[str]) -> dict[str, str]:
    parser = Parser(prog=f"python -m stages {stage.name}", description=stage.module.__doc__, allow_abbrev=False)
    flags = {flag: f"--{flag.replace('_', '-')}" for flag in stage.flags}
    for name, flag in flags.items():
        kind = "output" if name in stage.outputs else "variant" if name == stage.variant else "input"
        parser.add_argument(flag, dest=name, help=kind, metavar=kind.upper())
    given, unknown = parser.parse_known_args(words)
    if unknown:
        parser.error(f"{unknown[0]} is unknown{nearest(unknown[0], flags.values())}")
    if missing := [flags[name] for name, value in vars(given).items() if value is None]:
        parser.error(f"{', '.join(missing)} must be given")
    return vars(given)


def _check_inputs(stage: Contract, given: dict[str, str]) -> None:
    for flag in stage.inputs:
        if not Path(given[flag]).exists():
            raise DataError(f"--{flag} {given[flag]} must exist; run `dvc repro` up to it, or `dvc pull {given[flag]}`")


def run_stage(name: str, words: list[str]) -> None:
    """Run one stage from its command line."""
    limit_threads(thread_count())
    stage = contract(name)
    given = _arguments(stage, words)
    params = parse(stage, read_params(), variant=given.get(stage.variant))
    _check_inputs(stage, given)
    begin = time.monotonic()
    with whole({flag: Path(given[flag]) for flag in stage.outputs}) as partial:
        values = {flag: Path(given[flag]) for flag in stage.inputs} | partial
        if stage.variant:
            values[stage.variant] = given[stage.variant]
        stage.module.run(params, **values)
    write_cost(os.environ.get("DVC_STAGE", name), seconds=time.monotonic() - begin)


def check_params(values: Mapping) -> None:
    """Check every section of params.yaml against its stage, and that no section is left over."""
    methods: dict[str, list[str]] = {}
    for name in names():
        methods.setdefault(name.partition(".")[0], []).append(name.partition(".")[2])
    for method, content in values.items():
        if method not in methods:
            raise ArgumentError(
                f"params.yaml, {method}: must be the section of a method ({', '.join(sorted(methods))}); misspelt?"
                f"{nearest(method, methods)}"
            )
        for key, value in content.items() if isinstance(content, Mapping) else ():
            if isinstance(value, Mapping) and key not in methods[method]:
                known = ", ".join(sorted(methods[method]))
                hint = nearest(key, methods[method])
                raise ArgumentError(f"params.yaml, {method}.{key}: must be a stage ({known}); misspelt?{hint}")
    for name in names():
        stage = contract(name)
        here = section(values, name)
        if stage.variant and not here:
            continue
        for variant in variants(stage, here) or [None]:
            parse(stage, values, variant=variant)


def apply_params(change: Path) -> None:
    """Write the values of another file over params.yaml, leaving it alone if the result does not pass."""
    text = overlay(Path("params.yaml"), change)
    check_params(yaml.safe_load(text))
    Path("params.yaml").write_text(text)


FULL = ("No space left on device", "Disk quota exceeded")
SHORT = ("can't allocate memory", "out of memory")


def explain(error: BaseException) -> tuple[int, str]:
    """Map an error to its exit code and one line; 70 for a mistake of ours."""
    for kind, code in EXIT_CODES.items():
        if isinstance(error, kind):
            return code, _line(error)
    number, text = getattr(error, "errno", None), str(error)
    place = getattr(error, "filename", None) or "while writing"
    if number in (errno.ENOSPC, errno.EDQUOT) or any(words in text for words in FULL):
        return 75, f"the disk is full ({place}); free some space and run again"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or any(w in text for w in SHORT):
        return 75, "out of memory; run fewer stages side by side or lower the batch size"
    if isinstance(error, PermissionError) or number == errno.EROFS:
        return 69, f"{place} must be open to this user; {error.strerror}; another user's, or mounted read-only?"
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] not in ("gauntlet", "stages"):
        return 69, f"the package {error.name} must be installed; it is not; `make` or `uv sync --all-extras` brings it"
    return 70, f"{type(error).__name__}: {_line(error)}"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def failed(title: str, error: Exception) -> int:
    """Say what ended a run, below the traceback if it is a mistake of ours, and return the exit status."""
    code, line = explain(error)
    if code == 70:
        traceback.print_exception(error)
    print(f"{title}: {line}", file=sys.stderr, flush=True)
    return code


def main(words: list[str]) -> int:
    """Run the command line and return the exit code."""
    title = words[0] if words else "stages"
    try:
        if not words or words[0] in ("-h", "--help"):
            print(f"{__doc__}\nstages: {', '.join(names())}")
        elif words == ["--check"]:
            check_params(read_params())
        elif words[0] == "--apply" and len(words) == 2:
            apply_params(Path(words[1]))
        else:
            unwind_on_sigterm()
            end_with_dvc()
            run_stage(words[0], words[1:])
    except KeyboardInterrupt:
        print(f"{title}: interrupted; earlier outputs stay as they were", file=sys.stderr, flush=True)
        return 130
    except Exception as error:
        return failed(title, error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
