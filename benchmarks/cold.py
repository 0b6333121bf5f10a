"""Run the README's first command cold, as a stranger would, and check what it leaves behind.

Run as `python benchmarks/cold.py [--keep FOLDER]`. In a fresh clone, with an empty home and empty caches: `make repro`
(environment and fetching included), whether git sees a change, a second `dvc repro`, what one changed parameter of
COCO-O makes stale, and `make repro ONLY=imagenet_e`. Then every dataset is built once more in another folder with one
worker, and the hashes are compared.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.clones import ROOT, lock_of

DATASETS = (
    "objects-build",
    "objects-backgrounds",
    "objects-scenes",
    "objects-images",
    "coco_o-build",
    "imagenet_e-build",
)


def stranger(folder: Path) -> dict[str, str]:
    """Return an environment with an empty home and caches in `folder`, and nothing of this project's own."""
    dropped = ("PREFECT_", "GAUNTLET_", "UV_", "XDG_", "VIRTUAL_ENV", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    caches = {"XDG_CACHE_HOME": str(home / ".cache"), "DVC_SITE_CACHE_DIR": str(home / "dvc"), "DVC_NO_ANALYTICS": "1"}
    return kept | {"HOME": str(home)} | caches


def timed(command: str, *, folder: Path, env: dict[str, str]) -> tuple[float, str]:
    """Run a shell command; return its seconds and output; stop with both where it fails."""
    begun = time.monotonic()
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode} after {seconds:.0f} s:\n{done.stdout[-4000:]}")
    return seconds, done.stdout


def fresh(folder: Path) -> Path:
    """Clone the last commit."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    return folder


def outputs(folder: Path) -> dict[str, str]:
    """Return the hash of each dataset that dvc.lock names."""
    stages = {name: entry for name, entry in lock_of(folder).items() if name.startswith(DATASETS)}
    return {out["path"]: out["md5"] for entry in stages.values() for out in entry["outs"]}


def main() -> int:
    """Measure and print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")
    folder = parser.parse_args().keep or Path(tempfile.mkdtemp(prefix="cold-"))
    env = stranger(folder)
    first = fresh(folder / "first")
    cold_s, _ = timed("make repro", folder=first, env=env)
    _, changed = timed("git status --porcelain", folder=first, env=env)
    _, first_hashes = cold_s, outputs(first)
    again_s, again = timed(".venv/bin/dvc repro", folder=first, env=env | _venv(first))
    params = (first / "params.yaml").read_text()
    (first / "params.yaml").write_text(params.replace("slope: 0.45", "slope: 0.46"))
    _, stale = timed(".venv/bin/dvc repro --dry", folder=first, env=env | _venv(first))
    (first / "params.yaml").write_text(params)
    only_s, _ = timed("make repro ONLY=imagenet_e", folder=first, env=env)
    second = fresh(folder / "second")
    (second / "dvc.lock").unlink(missing_ok=True)
    timed(f"make repro ONLY='{' '.join(DATASETS)}'", folder=second, env=env | {"GAUNTLET_WORKERS": "1"})
    different = [path for path, md5 in outputs(second).items() if first_hashes.get(path) != md5]
    ran = [line.split("'")[1] for line in stale.splitlines() if line.startswith("Running stage")]
    print("| what | result |\n|---|---|")
    print(f"| cold `make repro`, environment and fetching included | {cold_s:.0f} s |")
    print(f"| `git status` afterwards | {changed.strip().replace(chr(10), '; ') or 'clean'} |")
    print(f"| second `dvc repro` | {again_s:.1f} s, {again.strip().splitlines()[-1]} |")
    print(f"| one COCO-O parameter changed | {', '.join(ran)} |")
    print(f"| `make repro ONLY=imagenet_e`, nothing changed | {only_s:.1f} s |")
    same = ", ".join(different) or "bit-identical"
    print(f"| {len(outputs(second))} datasets built twice, two workers and one | {same} |")
    return int(bool(changed.strip() or different))


def _venv(folder: Path) -> dict[str, str]:
    return {"PATH": f"{folder / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"}


if __name__ == "__main__":
    sys.exit(main())
