"""Time the flow against plain `dvc repro`, each cold in a fresh clone, and compare what they wrote to dvc.lock.

Run as `python benchmarks/flow_vs_repro.py [--set coco_o.train.epochs=1 ...] [--raw] [--workers 2] [TARGET...]`.
`--set` reduces the params, `--raw` leaves the downloads out. The flow's seconds are shown with and without the
start of its server, which a second run finds running. Exit 1 where the locks differ or the ratio is below 1.3.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.clones import clone, differing, lock_of, parse, run

NEEDED = 1.3


def main() -> int:
    """Run both and print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--set", nargs="+", default=[], metavar="PARAM=VALUE", help="params to set in both clones")
    parser.add_argument("--raw", action="store_true", help="copy data/raw instead of fetching it")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="flow-vs-repro-"))
    folder.mkdir(parents=True, exist_ok=True)
    settings = parse(arguments.set)
    try:
        one = clone(folder / "repro", settings=settings, raw=arguments.raw)
        repro_s = run(["-m", "dvc", "repro", *_stages(one, arguments.targets)], folder=one, log=folder / "repro.log")
        two = clone(folder / "flow", settings=settings, raw=arguments.raw)
        server_s = run(["-m", "flows.server", "start"], folder=two, log=folder / "server.log")
        flow = ["-m", "flows", *arguments.targets, "--workers", str(arguments.workers)]
        flow_s = run(flow, folder=two, log=folder / "flow.log")
        run(["-m", "flows.server", "stop"], folder=two, log=folder / "server.log")
        locks = lock_of(one), lock_of(two)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    ratio, whole = repro_s / flow_s, repro_s / (flow_s + server_s)
    different = differing(*locks)
    print("| | seconds | times faster |\n|---|---|---|")
    print(f"| `dvc repro` | {repro_s:.1f} | 1 |\n| flow, {arguments.workers} workers | {flow_s:.1f} | {ratio:.2f} |")
    print(f"| flow and the start of its server | {flow_s + server_s:.1f} | {whole:.2f} |")
    print(f"\n{len(locks[0])} stages; dvc.lock {'differs in ' + ', '.join(different) if different else 'is equal'}")
    return int(bool(different) or ratio < NEEDED)


def _stages(folder: Path, targets: list[str]) -> list[str]:
    """Return the stage names that the targets mean; DVC itself knows no method slugs."""
    from flows.plan import plan

    return [record.stage for record in plan(targets, root=folder)] if targets else []


if __name__ == "__main__":
    raise SystemExit(main())
