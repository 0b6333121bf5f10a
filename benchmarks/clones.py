"""Fresh clones of this repository for the benchmarks that run the pipeline cold: no cache, no lock, other params."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


def parse(settings: Sequence[str]) -> dict[str, Any]:
    """Parse `coco_o.train.epochs=1` words; the values are YAML."""
    pairs = (word.partition("=") for word in settings)
    return {name: yaml.safe_load(value) for name, _, value in pairs}


def clone(folder: Path, *, settings: Mapping[str, Any], raw: bool) -> Path:
    """Clone the last commit into `folder` and make it cold.

    Args:
        folder: Where; what is there is removed.
        settings: Params to set, by dotted name; each must exist.
        raw: Copy the fetched archives and the lock entries of the raw stages, so that nothing is downloaded.
    """
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    for name, value in settings.items():
        *above, last = name.split(".")
        section = params
        for word in above:
            section = section[word]
        if last not in section:
            raise SystemExit(f"--set must name a param of params.yaml; got {name}")
        section[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    lock = folder / "dvc.lock"
    stages = lock_of(folder)
    lock.unlink(missing_ok=True)
    if raw:
        kept = {name: entry for name, entry in stages.items() if name.startswith("raw-")}
        lock.write_text(yaml.safe_dump({"schema": "2.0", "stages": kept}, sort_keys=False))
        shutil.copytree(ROOT / "data" / "raw", folder / "data" / "raw", dirs_exist_ok=True)
    return folder


def lock_of(folder: Path) -> dict[str, Any]:
    """Return the stages of dvc.lock; empty where there is none."""
    lock = folder / "dvc.lock"
    return (yaml.safe_load(lock.read_text()) or {}).get("stages", {}) if lock.exists() else {}


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a run in a clone: its own modules, no shared server, no shared DVC index."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "GAUNTLET_"))}
    binaries = str(Path(sys.executable).parent)
    return kept | {
        "PATH": binaries + os.pathsep + kept.get("PATH", os.defpath),
        "PYTHONPATH": str(folder),
        "DVC_SITE_CACHE_DIR": str(folder / ".checkpoints" / "site"),
        "DVC_NO_ANALYTICS": "1",
    }


def run(argv: Sequence[str], *, folder: Path, log: Path) -> float:
    """Run `python ARGV` in a clone, its lines to `log`; return the seconds.

    Raises:
        SystemExit: It failed; the message shows the end of the log.
    """
    begun = time.monotonic()
    with log.open("w") as lines:
        done = subprocess.run(
            [sys.executable, *argv], cwd=folder, env=environment(folder), stdout=lines, stderr=subprocess.STDOUT
        )
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise SystemExit(f"`python {' '.join(argv)}` must work in {folder}; exit {done.returncode}:\n{tail}")
    return time.monotonic() - begun


def differing(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    """Name the stages whose lock entries differ."""
    return sorted(name for name in {*left, *right} if left.get(name) != right.get(name))
