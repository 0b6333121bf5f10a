"""Run one stage through DVC: its outcome, its own exit code, its lines; and no process left behind.

DVC flattens every exit code to 255 and, killed, leaves its stage running. Here the stage's own code is
read back from DVC's message, the process group ends with the run, and what an earlier run left behind is
ended before a new one starts. A failed stage gives back the results it had before.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
import yaml

from flows.leash import Stopped, TimedOut, dvc
from flows.plan import Busy

TOKEN = "GAUNTLET_RUN"  # in the environment of every process of a run, so that none can hide
TAIL = 40
FAILED_TO_RUN = re.compile(r"exited with (-?\d+)")
BUSY = re.compile(r"is busy, it is being blocked by|Unable to acquire lock")
DVC_SPEAKS = re.compile(
    r"^(ERROR: failed to |Running stage |> |(Updating|Generating) lock file|Stage '.*' (didn't change|is cached)|"
    r"WARNING: Process '.*' had been killed\. Auto removed|Data and pipelines are up to date)"
)
OBITUARY = re.compile(  # a shell's, not the stage's
    r"^(Killed|Terminated|Aborted|Segmentation fault|Bus error)( \(core dumped\))?$"
)
HINTS = re.compile(
    r"^(To track the changes|To enable auto staging|\s+git add |\s+dvc config core\.autostage|Use `dvc push`)"
)


class Outcome(NamedTuple):
    """How one stage ended.

    Attributes:
        stage: Its name.
        result: "ran", "restored" (from the run cache), "skipped" (unchanged) or "failed".
        exit_code: The stage's own; negative for the signal that ended it, 124 for a time-out.
        seconds: Wall time of the DVC command.
        tail: The last lines.
    """

    stage: str
    result: str
    exit_code: int
    seconds: float
    tail: tuple[str, ...]

    @property
    def reason(self) -> str:
        """The stage's own last line, or DVC's where the stage said nothing."""
        own = [line for line in self.tail if line.strip() and not DVC_SPEAKS.match(line) and not OBITUARY.match(line)]
        return (own or list(self.tail) or ["no output"])[-1].strip()


def run(
    stage: str,
    *,
    root: Path | None = None,
    loose: Sequence[str] = (),
    force: bool = False,
    timeout_s: float | None = None,
    env: dict[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Outcome:
    """Run `dvc repro --single-item STAGE` to its end.

    Args:
        stage: A stage of dvc.yaml.
        root: The DVC repository; None means the working folder.
        loose: Its uncached outputs, put back if it fails (DVC deletes outputs before it runs a stage).
        force: Run it even if nothing changed.
        timeout_s: Seconds until it is ended; None waits for ever.
        env: Variables for the stage (`CUDA_VISIBLE_DEVICES`).
        on_line: Called with each line as it comes.

    Raises:
        Busy: Another living run of this folder has the stage in hand.
        Stopped: The flow is being ended; the stage's processes are gone.
    """
    root = (root or Path.cwd()).resolve()
    note, kept = _note(root, stage), []
    end_leftover(note)
    _keep(root, stage, loose)

    def line_came(line: str) -> None:
        if not HINTS.match(line):
            kept.append(line)
            if on_line:
                on_line(line)

    argv = ["repro", "--single-item", *(["--force"] if force else []), stage]
    begun = time.monotonic()
    try:
        code = _attempt(argv, root=root, note=note, timeout_s=timeout_s, env=env or {}, on_line=line_came)
    except BaseException:
        end_leftover(note)
        _give_back(root, stage, loose)
        raise
    outcome = _outcome(stage, code, seconds=time.monotonic() - begun, lines=kept)
    end_leftover(note)
    if outcome.result == "failed":
        _give_back(root, stage, loose)
        _checkout(root, stage)
    else:
        shutil.rmtree(_shelf(root, stage), ignore_errors=True)
    return outcome


def _attempt(
    argv: list[str],
    *,
    root: Path,
    note: Path,
    timeout_s: float | None,
    env: dict[str, str],
    on_line: Callable[[str], None],
) -> int:
    """Run `dvc ARGV` with a note of its processes; return its exit code, 124 for a time-out."""
    token = uuid.uuid4().hex

    def started(group: int) -> None:
        note.write_text(json.dumps({"token": token, "group": group, "owner": _identity(os.getpid())}))

    try:
        env = {TOKEN: token, **env}
        return dvc(argv, root=root, env=env, timeout_s=timeout_s, on_start=started, on_line=on_line).exit_code
    except TimedOut:
        on_line(f"{argv[-1]} must end within {timeout_s:g} s (meta.timeout in dvc.yaml); it was ended")
        return 124


def _outcome(stage: str, code: int, *, seconds: float, lines: Sequence[str]) -> Outcome:
    text = "\n".join(lines)
    if code == 0:
        if "is cached - skipping run" in text:
            result = "restored"
        else:
            result = "ran" if re.search(r"^Running stage '", text, re.M) else "skipped"
        return Outcome(stage, result, 0, seconds, tuple(lines[-TAIL:]))
    own = FAILED_TO_RUN.findall(text)
    if own:
        code = int(own[-1])
        code = 128 - code if code > 128 else code  # a shell's 137 is signal 9
    elif BUSY.search(text):
        code = 75
    return Outcome(stage, "failed", code, seconds, tuple(lines[-TAIL:]))


def end_leftover(note: Path) -> None:
    """End what the run of `note` left alive, wherever its processes hid, and forget the note.

    Raises:
        Busy: That run's owner is another process and lives.
    """
    try:
        left = json.loads(note.read_text())
    except (FileNotFoundError, ValueError):
        return
    owner = left["owner"]
    if owner["pid"] != os.getpid() and owner == _identity(owner["pid"]):
        raise Busy(f"{note.stem} must run once at a time; process {owner['pid']} has it in hand; wait for it or end it")
    mark = left["token"]
    for number, grace_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        alive = _marked(mark)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        psutil.wait_procs(alive, timeout=grace_s)
    note.unlink(missing_ok=True)


def _marked(token: str) -> list[psutil.Process]:
    """Living processes of this user whose environment carries the token."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(TOKEN) == token and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _identity(pid: int) -> dict[str, float] | None:
    with contextlib.suppress(psutil.Error):
        return {"pid": pid, "since": psutil.Process(pid).create_time()}
    return None


def _note(root: Path, stage: str) -> Path:
    folder = root / ".checkpoints" / "runner"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{stage}.json"


def _shelf(root: Path, stage: str) -> Path:
    return root / ".checkpoints" / "runner" / f"{stage}.kept"


def _keep(root: Path, stage: str, loose: Sequence[str]) -> None:
    """Copy the uncached outputs aside; a copy from a run that was killed stays where nothing newer exists."""
    for number, path in enumerate(loose):
        _copy(root / path, _shelf(root, stage) / str(number))


def _give_back(root: Path, stage: str, loose: Sequence[str]) -> None:
    for number, path in enumerate(loose):
        _copy(_shelf(root, stage) / str(number), root / path)
    shutil.rmtree(_shelf(root, stage), ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Put a copy of a file or folder in place of another, where there is one to copy."""
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def _checkout(root: Path, stage: str) -> None:
    """Put the cached outputs that dvc.lock knows back in place of whatever the failed stage left."""
    lock = root / "dvc.lock"
    known = yaml.safe_load(lock.read_text(encoding="utf-8")) if lock.exists() else {}
    if stage in ((known or {}).get("stages") or {}):
        with contextlib.suppress(Stopped):
            dvc(["checkout", "--force", stage], root=root)  # if the cache lost them there is nothing to put back
