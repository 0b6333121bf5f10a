"""Seconds a face to protect by the encoder against 100 steps of PGD on the same editors, and their ratio.

Run as `python -m benchmarks.iap_face_speed`, after `iap_face.train`; prints one Markdown table and exits with 1 if the
encoder is not at least 50 times faster. Each step of PGD goes through one edit a manipulator, the least that disrupts
all of them together. Seconds are processor time of one core, least of `--rounds` that take the two in turns.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from gauntlet.attacks.disruption import disruption_pgd
from gauntlet.readers.faces import read_faces
from gauntlet.readers.manipulators import read_manipulators
from gauntlet.readers.protectors import read_protector

BOUND = 50.0
STEPS = 100


def main() -> int:
    """Measure, print the table, say whether the bound holds."""
    options = _options()
    torch.set_num_threads(1)
    protector = read_protector(options.protector)
    editors = [
        editor for name, editor in read_manipulators(options.manipulators).items() if name not in options.held_out
    ]
    x = read_faces(options.faces, "val").x[: options.batch].float() / 255
    message = torch.randint(0, 2, (len(x), protector.bits), generator=torch.Generator().manual_seed(0)).float()

    def encode() -> None:
        with torch.no_grad():
            protector.protect(x, message)

    def descend() -> None:
        generator = torch.Generator().manual_seed(0)
        how = {"eps": protector.eps, "alpha": protector.eps / 5, "per_step": len(editors)}
        disruption_pgd(editors, x, steps=STEPS, generator=generator, **how)

    encode()
    seconds = {"encoder": [], f"PGD, {STEPS} steps": []}
    for _ in range(options.rounds):
        for name, run in zip(seconds, (encode, descend), strict=True):
            seconds[name].append(_processor_s(run) / len(x))
    return _report({name: min(each) for name, each in seconds.items()}, options)


def _processor_s(run: Callable[[], None]) -> float:
    begun = time.process_time()
    run()
    return time.process_time() - begun


def _report(seconds: dict[str, float], options: argparse.Namespace) -> int:
    encoder, pgd = seconds.values()
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {options.batch} faces a batch")
    print("\n| method | ms a face | times the encoder |\n|---|---:|---:|")
    for name, each in seconds.items():
        print(f"| {name} | {1000 * each:.2f} | {each / encoder:.0f} |")
    print(f"\nbound: at least {BOUND:.0f} times; {'met' if pgd >= BOUND * encoder else 'NOT met'}")
    return 0 if pgd >= BOUND * encoder else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, default=Path("data/built/iap_face"))
    parser.add_argument("--manipulators", type=Path, default=Path("data/models/iap_face/manipulators"))
    parser.add_argument("--protector", type=Path, default=Path("data/models/iap_face/protector"))
    parser.add_argument("--held-out", nargs="*", default=["attention"])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
