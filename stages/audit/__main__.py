"""Audit a model: run every suite that fits it and write a robustness card (card.html, card.json).

MODEL is timm:NAME or torchvision:NAME (with their own weights unless a checkpoint is given), ares:NAME,
package.module:function (from the current folder too; called with classes=... where it takes that), a model folder
written here, or a .safetensors file that names its architecture in its header or in a model.json beside it. For any
other file of weights give the architecture as MODEL and the file as --checkpoint:
`python -m stages.audit gauntlet:convnet --set width=16 --checkpoint mine.safetensors`.
Ends with 0, 65 (bad data), 69 (something is away), 75 (try again), 78 (bad parameters), or 70 for a mistake of ours.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from gauntlet.errors import ArgumentError
from stages import parse_ratio
from stages.__main__ import Parser, failed
from stages.lifetime import unwind_on_sigterm
from stages.machine import limit_threads, thread_count
from stages.outputs import whole


def arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line.

    Raises:
        ArgumentError: It does not fit.
    """
    parser = Parser(
        prog="python -m stages.audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("model", metavar="MODEL", help="see above")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="weights: safetensors, or a .pt of tensors")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the builder")
    parser.add_argument("--data", metavar="NAME|FOLDER", help="objects32, objects128, digits, or a folder a class")
    parser.add_argument("--images", default="150", metavar="N", help="pictures drawn from it (default: 150)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default: data/audits/<model>")
    parser.add_argument("--suites", metavar="a,b,...", help="default: all that fit")
    parser.add_argument("--seed", default="0", metavar="N", help="of the draw and of all attacks (default: 0)")
    parser.add_argument("--eps", metavar="E", help="Linf radius, such as 8/255; default: the model's or the data's")
    return parser.parse_args(words)


def _count(text: str, name: str) -> int:
    if not text.isdecimal():
        raise ArgumentError(f"--{name} must be a whole number; got {text!r}")
    return int(text)


def _settings(pairs: list[str]) -> dict[str, object]:
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ArgumentError(f"--set must be NAME=VALUE, such as width=16; got {pair!r}")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


def _eps(text: str | None) -> float | None:
    try:
        return None if text is None else parse_ratio(text)
    except ValueError as error:
        raise ArgumentError(f"--eps {error}") from None


def audit(words: list[str]) -> Path:
    """Audit a model and return the folder of its card, which appears whole or not at all."""
    given = arguments(words)
    limit_threads(thread_count())
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    from stages.audit.card import write_card  # after the threads are limited: this brings torch
    from stages.audit.request import ALL_SUITES, Request, check_out

    request = Request(
        model=given.model,
        checkpoint=given.checkpoint,
        settings=_settings(given.set),
        data=given.data,
        images=_count(given.images, "images"),
        seed=_count(given.seed, "seed"),
        eps=_eps(given.eps),
        suites=tuple(dict.fromkeys(given.suites.split(","))) if given.suites is not None else ALL_SUITES,
    )
    out = given.out or Path("data/audits") / request.name
    check_out(out)
    with tempfile.TemporaryDirectory() as scratch, whole({"card": out}) as partial:
        write_card(request, partial["card"], scratch=Path(scratch))
    return out


def main(words: list[str]) -> int:
    """Run the command line and return the exit code."""
    unwind_on_sigterm()
    try:
        out = audit(words)
    except KeyboardInterrupt:
        print("audit: interrupted; earlier cards stay as they were", file=sys.stderr, flush=True)
        return 130
    except Exception as error:
        return failed("audit", error)
    print(f"{out}/card.html")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
