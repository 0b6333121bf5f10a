"""Kill the flow, its dvc, a plain dvc and a stage with SIGKILL; then a plain run must finish with the same hashes.

Run as `python benchmarks/kill.py STAGE [--set coco_o.train.epochs=1 ...] [--raw] [--after 3]`, on Linux. STAGE
(`coco_o-train@fcos`) is brought up to date undisturbed once, for the hashes. Then, each in a fresh clone, the
victim is killed `--after` seconds after STAGE began. Nothing of that run may live ten seconds later, the next
plain `dvc repro STAGE` must write the same dvc.lock, and at no moment may two processes run the same stage.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.clones import clone, differing, environment, lock_of, parse, run

VICTIMS = ("flow", "dvc of the flow", "plain dvc", "stage of the flow", "stage of plain dvc")
GONE_S = 10.0


class Verdict(NamedTuple):
    """What one kill led to."""

    victim: str
    survivors: int
    most_writers: int
    different: list[str]

    @property
    def good(self) -> bool:
        """Whether nothing survived, nothing ran twice, and the hashes are the same."""
        return not self.survivors and self.most_writers <= 1 and not self.different


def processes(folder: Path) -> list[psutil.Process]:
    """Return the living processes that work in a clone; servers of Prefect are none of a run's."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            server = any("prefect" in word for word in words)
            if Path(process.cwd()) == folder and process.status() != psutil.STATUS_ZOMBIE and not server:
                found.append(process)
    return found


def stage_of(process: psutil.Process) -> str | None:
    """Return the DVC stage that a process is the door of (not one of its workers), or None."""
    with contextlib.suppress(psutil.Error):
        words = process.cmdline()
        if len(words) > 3 and words[1:3] == ["-m", "stages"]:
            return process.environ().get("DVC_STAGE")
    return None


class Watch:
    """Count in the background how many processes run the same stage at once."""

    def __init__(self, folder: Path) -> None:
        """Begin to watch a clone."""
        self.most = 0
        self._folder, self._over = folder, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            found = {process.pid: (process, name) for process in processes(self._folder) if (name := stage_of(process))}
            # A stage's own workers are forks with its command line; a second writer would be nobody's child.
            names = Counter(name for process, name in found.values() if _parent(process) not in found)
            self.most = max([self.most, *names.values()])

    def end(self) -> int:
        """Stop and return the largest count."""
        self._over.set()
        self._thread.join()
        return self.most


def _parent(process: psutil.Process) -> int:
    """Return the pid of the parent; 0 where the process is gone meanwhile."""
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def find(folder: Path, stage: str, *, run_of: subprocess.Popen) -> psutil.Process:
    """Wait for the stage's process to appear."""
    while run_of.poll() is None:
        for process in processes(folder):
            if stage_of(process) == stage:
                return process
        time.sleep(0.05)
    raise SystemExit(f"{stage} must run before its run ends; it was up to date or failed")


def disturb(victim: str, folder: Path, *, stage: str, after_s: float, log: Path) -> int:
    """Start a run, kill the victim, and return how many processes of that run live ten seconds later."""
    argv = ["-m", "flows", stage] if "flow" in victim else ["-m", "dvc", "repro", stage]
    with log.open("w") as lines:
        started = subprocess.Popen(
            [sys.executable, *argv], cwd=folder, env=environment(folder), stdout=lines, stderr=lines
        )
    process = find(folder, stage, run_of=started)
    time.sleep(after_s)
    if victim in ("flow", "plain dvc"):
        started.kill()
    elif victim == "dvc of the flow":
        os.kill(os.getpgid(process.pid), signal.SIGKILL)  # dvc leads the stage's process group
    else:
        process.kill()
    if victim in ("flow", "plain dvc"):
        started.wait()
    else:
        started.send_signal(signal.SIGINT)  # what a person does next; the flow would try the stage again
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(60)
    end = time.monotonic() + GONE_S
    while (alive := processes(folder)) and time.monotonic() < end:
        time.sleep(0.2)
    return len(alive)


def main() -> int:
    """Run all five and print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", metavar="STAGE")
    parser.add_argument("--set", nargs="+", default=[], metavar="PARAM=VALUE", help="params to set in all clones")
    parser.add_argument("--raw", action="store_true", help="copy data/raw instead of fetching it")
    parser.add_argument("--after", type=float, default=3.0, metavar="S", help="seconds between its start and the kill")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kill-")).resolve()
    settings, verdicts = parse(arguments.set), []
    plain = ["-m", "dvc", "repro", arguments.stage]
    try:
        calm = clone(folder / "calm", settings=settings, raw=arguments.raw)
        run(plain, folder=calm, log=folder / "calm.log")
        for number, victim in enumerate(VICTIMS):
            here = clone(folder / f"killed{number}", settings=settings, raw=arguments.raw)
            watch = Watch(here)
            try:
                log = folder / f"killed{number}.log"
                left = disturb(victim, here, stage=arguments.stage, after_s=arguments.after, log=log)
                run(plain, folder=here, log=folder / f"after{number}.log")
            finally:
                most = watch.end()
                subprocess.run([sys.executable, "-m", "flows.server", "stop"], cwd=here, env=environment(here))
            verdicts.append(Verdict(victim, left, most, differing(lock_of(calm), lock_of(here))))
            shutil.rmtree(here, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("| killed | processes left after 10 s | most writers at once | hashes afterwards |\n|---|---|---|---|")
    for verdict in verdicts:
        hashes = "the same" if not verdict.different else "differ: " + ", ".join(verdict.different)
        print(f"| {verdict.victim} | {verdict.survivors} | {verdict.most_writers} | {hashes} |")
    return int(not all(verdict.good for verdict in verdicts))


if __name__ == "__main__":
    raise SystemExit(main())
