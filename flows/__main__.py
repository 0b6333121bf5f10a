"""Bring the pipeline up to date: `python -m flows [TARGET...] [--workers N] [--force]`.

When nothing is stale it says so and starts nothing. Otherwise it starts or finds the background server,
runs the flow `reproduce`, prints a table, and exits with 0 or the code of the first stage that failed.
"""

import argparse
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from flows import console, server
from flows.leash import LEASH
from flows.plan import Busy, UnknownTarget, due, plan

EXITS = {"BadParams": 78, "UnknownTarget": 78, "Busy": 75}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    arguments = _parser().parse_args(argv)
    root = Path.cwd()
    if not (root / "dvc.yaml").exists():
        return _fault(78, f"the working folder must hold dvc.yaml; {root} does not; go to the repository's root")
    targets = arguments.targets or None
    logging.getLogger("dvc").setLevel(logging.ERROR)  # not that it tidied up after a run that was killed
    check = subprocess.Popen(
        [sys.executable, "-m", "stages", "--check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        records = plan(targets, root=root)
        fault = None
    except (UnknownTarget, Busy) as error:
        fault = EXITS[type(error).__name__], str(error)
    except Exception as error:  # a dvc.yaml or params.yaml that DVC cannot read: the check says it better, if it can
        fault = 78, f"DVC must be able to read dvc.yaml and params.yaml; it says: {' '.join(str(error).split())}"
    said = check.communicate()[0]
    if check.returncode:
        return _fault(check.returncode, said.strip())
    if fault:
        return _fault(*fault)
    todo = due(records, force=arguments.force)
    if not todo:
        console.console().print(f"everything is up to date ({len(records)} stages)")
        return 0
    os.environ["GAUNTLET_CHECKED"] = "1"
    return _run(root, targets, workers=arguments.workers, force=arguments.force)


def _run(root: Path, targets: list[str] | None, *, workers: int | None, force: bool) -> int:
    """Run the flow against a background server."""
    LEASH.warm()
    server.configure(root)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if "PREFECT_API_URL" not in os.environ:
        try:
            os.environ["PREFECT_API_URL"] = server.ensure(root).api
        except server.ServerError as error:
            return _fault(69, f"{error}; `dvc repro` needs no server")
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    logging.raiseExceptions = False
    from flows.reproduce import reproduce

    try:
        state = reproduce(targets=targets, workers=workers, force=force, return_state=True)
    except KeyboardInterrupt:
        return _fault(130, "stopped; what was finished stays, the next run goes on from there")
    data = getattr(state.data, "result", state.data)
    if not isinstance(data, tuple):
        return _fault(EXITS.get(state.name, 70), state.message or state.name)
    outcomes, blocked = data
    console.summary(outcomes, blocked)
    failed = [outcome.exit_code for outcome in outcomes if outcome.result == "failed"]
    return failed[0] % 256 if failed and failed[0] > 0 else 128 - failed[0] if failed else 0


def _fault(code: int, text: str) -> int:
    print(text, file=sys.stderr, flush=True)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flows", description="Bring the pipeline up to date.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="stage, matrix group or method (default: all)")
    parser.add_argument("--workers", type=int, metavar="N", help="stages side by side (default: one a core)")
    parser.add_argument("--force", action="store_true", help="run every stage, stale or not")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
