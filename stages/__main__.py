"""The one door to all stages: `python -m stages coco_o.build --scenes data/built/scenes ...`.

It alone reads params.yaml and the command line. It checks parameters and inputs, fixes device and threads, hands out
temporary outputs that are moved when the stage has ended well, and ends with 0, 65 (bad data), 69 (something is
away), 75 (try again), 78 (bad parameters), each with one line, or with 70 and a traceback for a mistake of ours.
`python -m stages --check` checks every section of params.yaml and runs nothing.
"""

import argparse
import ctypes
import errno
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

import yaml

from gauntlet.errors import ArgumentError, DataError, RetryableError, UnavailableError
from stages.contract import Contract, contract, names, parse, section
from stages.machine import limit_threads, thread_count
from stages.outputs import whole

EXIT_CODES = {DataError: 65, UnavailableError: 69, RetryableError: 75, ArgumentError: 78}
PR_SET_PDEATHSIG = 1


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


def _die_with_parent() -> None:
    """Ask Linux to end this process when dvc dies, so that a killed run leaves no second writer."""
    if "DVC_STAGE" in os.environ and sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(75)


def _arguments(stage: Contract, words: list[str]) -> dict[str, str]:
    parser = argparse.ArgumentParser(prog=f"python -m stages {stage.name}", description=stage.module.__doc__)
    for flag in stage.flags:
        kind = "output" if flag in stage.outputs else "variant" if flag == stage.variant else "input"
        parser.add_argument(f"--{flag.replace('_', '-')}", dest=flag, required=True, help=kind, metavar=kind.upper())
    return vars(parser.parse_args(words))


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
    _write_cost(os.environ.get("DVC_STAGE", name), seconds=time.monotonic() - begin)


def _write_cost(title: str, *, seconds: float) -> None:
    """Leave seconds and peak memory beside the results, untracked."""
    folder = Path(".checkpoints/cost")
    folder.mkdir(parents=True, exist_ok=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cost = {"seconds": round(seconds, 2), "peak_memory_mib": round(peak)}
    (folder / f"{title}.json").write_text(json.dumps(cost, sort_keys=True) + "\n")


def check_params() -> None:
    """Check every section of params.yaml against its stage, and that no section is left over."""
    values = read_params()
    for name in names():
        stage = contract(name)
        here = section(values, name)
        variants = [key for key, value in here.items() if isinstance(value, dict)] if stage.variant else []
        for variant in variants or [None]:
            parse(stage, values, variant=variant)
    methods = {name.partition(".")[0] for name in names()}
    for method in values.keys() - methods:
        raise ArgumentError(
            f"params.yaml, {method}: must be the section of a method ({', '.join(sorted(methods))}); misspelt?"
        )
    for method in methods:
        verbs = {name.partition(".")[2] for name in names() if name.startswith(f"{method}.")}
        for key, value in values.get(method, {}).items():
            if isinstance(value, dict) and key not in verbs:
                raise ArgumentError(
                    f"params.yaml, {method}.{key}: must be a stage ({', '.join(sorted(verbs))}); misspelt?"
                )


def _explain(error: BaseException) -> tuple[int, str]:
    """Map an error to its exit code and one line; 70 for a mistake of ours."""
    for kind, code in EXIT_CODES.items():
        if isinstance(error, kind):
            return code, " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return 75, f"the disk is full ({error.filename or 'while writing'}); free some space and run again"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return 75, "out of memory; run fewer stages side by side or lower the batch size"
    return 70, f"{type(error).__name__}: {error}"


def main(words: list[str]) -> int:
    """Run the command line and return the exit code."""
    title = words[0] if words else "stages"
    try:
        if not words or words[0] in ("-h", "--help"):
            print(f"{__doc__}\nstages: {', '.join(names())}")
        elif words[0] == "--check":
            check_params()
        else:
            _die_with_parent()
            run_stage(words[0], words[1:])
    except Exception as error:
        code, line = _explain(error)
        if code == 70:
            traceback.print_exc()
        print(f"{title}: {line}", file=sys.stderr, flush=True)
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
