"""The flow `reproduce`: every stale stage of the DVC pipeline, side by side where it is independent.

DVC decides what is stale and what a stage is; this flow only deals the stages out. `python -m flows` runs it
from a shell, prefect.yaml deploys it.
"""

import fcntl
import os
import queue
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from prefect import flow, get_client, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectNotFound
from prefect.futures import PrefectFuture
from prefect.results import ResultRecord
from prefect.states import Completed, Failed, State
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from flows import console
from flows.artifacts import run_artifacts, stage_artifacts
from flows.gpu import gpus, lend
from flows.leash import LEASH, STOP
from flows.plan import Busy, Record, due, plan
from flows.runner import Outcome, run
from flows.schedule import Board

RETRIES = 2
RETRY_CODES = (69, 75)  # something it needs is away; try again


def worth_retrying(exit_code: int) -> bool:
    """Say whether the same stage may do better a second time: not for bad data, a bad parameter or a mistake.

    >>> [worth_retrying(code) for code in (65, 69, 70, 75, 78, 124, -9)]
    [False, True, False, True, False, False, True]
    """
    return exit_code in RETRY_CODES or exit_code < 0


def _retry(_task: Any, _task_run: Any, state: State) -> bool:
    outcome = outcome_of(state)
    return outcome is not None and worth_retrying(outcome.exit_code) and not STOP.is_set()


def outcome_of(state: State | None) -> Outcome | None:
    """Return the outcome that a stage's state carries, if it got that far."""
    data = getattr(state, "data", None)
    data = data.result if isinstance(data, ResultRecord) else data
    return data if isinstance(data, Outcome) else None


@task(
    cache_policy=NO_CACHE,
    retry_delay_seconds=exponential_backoff(backoff_factor=2),
    retry_jitter_factor=0.5,
    retry_condition_fn=_retry,
    persist_result=False,
)
def reproduce_stage(record: Record, *, unchanged: bool, force: bool) -> State:
    """Run one stage; its lines go to this task's log and to the console.

    Args:
        record: The stage.
        unchanged: Nothing above it changed and it is not stale: there is nothing to ask DVC.
        force: Run it even if nothing changed.
    """
    if unchanged:
        skipped = Outcome(record.stage, "skipped", 0, 0.0, ())
        return Completed(name="Skipped", message="nothing above it changed", data=skipped)
    logger, root = get_run_logger(), Path.cwd()

    def line_came(line: str) -> None:
        logger.info("%s", line)
        console.line(record.stage, line)

    with ExitStack() as held:
        env = {}
        if record.meta.get("gpu") and gpus():
            held.enter_context(concurrency("gpu", occupy=1, strict=True, raise_on_lease_renewal_failure=False))
            env = {"CUDA_VISIBLE_DEVICES": held.enter_context(lend())}
        console.started(record.stage)
        timeout_s = record.meta.get("timeout")
        outcome = run(
            record.stage, root=root, loose=record.loose, force=force, timeout_s=timeout_s, env=env, on_line=line_came
        )
    console.ended(outcome)
    if outcome.result == "failed":
        name = "TimedOut" if outcome.exit_code == 124 else f"Exit{outcome.exit_code}"
        return Failed(name=name, message=f"exit {outcome.exit_code}: {outcome.reason}", data=outcome)
    stage_artifacts(record, root=root)
    return Completed(name=outcome.result.capitalize(), message=f"{outcome.seconds:.1f} s", data=outcome)


@flow(task_runner=ThreadPoolTaskRunner(), persist_result=False)
def reproduce(targets: list[str] | None = None, workers: int | None = None, force: bool = False) -> State:
    """Bring `targets` and all they stand on up to date.

    Args:
        targets: Stages, matrix groups or method slugs; none means the whole pipeline.
        workers: Stages side by side; none means one a core.
        force: Run every stage, stale or not.
    """
    root = Path.cwd()
    fault = params_fault()
    if fault:
        return Failed(name="BadParams", message=fault)
    try:
        with only_run(root):
            records = due(plan(targets, root=root), force=force)
            lanes = workers or len(os.sched_getaffinity(0))
            outcomes, blocked = run_all(records, lanes=lanes, force=force)
            run_artifacts(outcomes, blocked, root=root)
    except (Busy, ValueError) as error:
        return Failed(name=type(error).__name__, message=str(error))
    failed = [outcome for outcome in outcomes if outcome.result == "failed"]
    if failed:
        lines = [f"{outcome.stage}: exit {outcome.exit_code}: {outcome.reason}" for outcome in failed]
        lines += [f"{stage}: not run, waits for {above}" for stage, above in blocked.items()]
        return Failed(message="\n".join(lines), data=(outcomes, blocked))
    return Completed(message=f"{len(outcomes)} stages up to date", data=(outcomes, blocked))


def params_fault() -> str | None:
    """Return the one line of `python -m stages --check` if it finds fault (and was not asked already)."""
    if os.environ.get("GAUNTLET_CHECKED") or not Path("stages/__main__.py").exists():
        return None
    check = subprocess.run([sys.executable, "-m", "stages", "--check"], capture_output=True, text=True)
    return (check.stderr or check.stdout).strip() if check.returncode else None


@contextmanager
def only_run(root: Path) -> Iterator[None]:
    """Hold this folder for one flow at a time; the lock dies with its process.

    Raises:
        Busy: Another flow runs here.
    """
    folder = root / ".checkpoints" / "runner"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "flow.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "another process"
            raise Busy(f"one run at a time in one folder; {owner} is at work here; wait for it or end it") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        yield


def run_all(records: tuple[Record, ...], *, lanes: int, force: bool) -> tuple[list[Outcome], dict[str, str]]:
    """Submit every record when its parents are done and a lane is free.

    Returns:
        The outcomes in the order of their end, and the stages that a failure above them left undone.
    """
    if any(record.meta.get("gpu") for record in records) and gpus():
        _ensure_gpu_limit()
    board, ended = Board(records), queue.SimpleQueue()
    futures: dict[str, PrefectFuture] = {}
    outcomes: dict[str, Outcome] = {}
    try:
        while True:
            while len(board.in_hand) < lanes:
                using = sum(bool(record.meta.get("gpu")) for record in board.in_hand.values())
                record = board.take(gpu_free=not gpus() or using < gpus())
                if record is None:
                    break
                above = [futures[parent] for parent in record.parents if parent in futures]
                still = all(outcomes[parent].result == "skipped" for parent in record.parents if parent in outcomes)
                futures[record.stage] = _submit(record, above, unchanged=still and not record.stale, force=force)
                futures[record.stage].add_done_callback(lambda _future, stage=record.stage: ended.put(stage))
            if not board.in_hand:
                return list(outcomes.values()), board.blocked
            stage = ended.get()
            outcomes[stage] = _settle(stage, futures[stage])
            board.done(stage, ok=outcomes[stage].result != "failed")
    except BaseException:
        STOP.set()  # every command in hand ends its processes before anything else happens
        for stage in board.in_hand:
            with suppress(BaseException):  # each ends with `Stopped`
                futures[stage].wait(timeout=30)
        LEASH.close()
        STOP.clear()
        raise


def _submit(record: Record, above: list[PrefectFuture], *, unchanged: bool, force: bool) -> PrefectFuture:
    named = reproduce_stage.with_options(
        name=record.stage, task_run_name=record.stage, retries=int(record.meta.get("retries", RETRIES))
    )
    return named.submit(record, unchanged=unchanged and not force, force=force, wait_for=above)


def _settle(stage: str, future: PrefectFuture) -> Outcome:
    """Return the outcome of an ended task; a mistake of the flow itself becomes a failure of the stage."""
    future.wait()
    outcome = outcome_of(future.state)
    if outcome is None:
        outcome = Outcome(stage, "failed", 70, 0.0, (f"{future.state.name}: {future.state.message}",))
        console.ended(outcome)
    return outcome


def _ensure_gpu_limit() -> None:
    """Create the limit `gpu` on the server if it is not there; a limit that a person has set stays."""
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name("gpu")
        except ObjectNotFound:
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="gpu", limit=gpus()))
