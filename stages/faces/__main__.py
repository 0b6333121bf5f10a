"""Faces: protect a folder of pictures, verify what they carry, audit how well the protection holds.

    python -m stages.faces protect FOLDER --out FOLDER --id 77     (or --message 04d)
    python -m stages.faces verify  FOLDER [--id 77] [--out FILE.json]
    python -m stages.faces audit   FOLDER --out FOLDER [--manipulators FOLDER]

Pictures are PNG, JPEG or WebP of any size, 8 bits a colour. Copies keep their name, format, transparency, orientation,
EXIF (a preview in it stays unprotected), colour profile and texts; PNG and WebP are written without loss. Each face is
protected within eps; --whole takes the whole picture and needs no face (drawn ones are often not found). Nothing is
overwritten. Pictures that cannot be used are named and left out.
Ends with 0, 65 (protect, verify: some picture was refused), 69 (something is away), 75 (try again), 78 (bad
parameters), or 70 for a mistake of ours.
"""

import argparse
import sys
from pathlib import Path

from gauntlet.errors import ArgumentError
from stages.__main__ import Parser, failed
from stages.lifetime import unwind_on_sigterm
from stages.machine import limit_threads, thread_count
from stages.outputs import whole

REFUSED = 65
PROTECTOR = Path("data/models/iap_face/protector")
MANIPULATORS = Path("data/models/iap_face/manipulators")


def arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line.

    Raises:
        ArgumentError: It does not fit.
    """
    parser = Parser(
        prog="python -m stages.faces",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="protect|verify|audit")
    for name in COMMANDS:
        command = commands.add_parser(name, allow_abbrev=False)
        command.add_argument("folder", type=Path, metavar="FOLDER", help="of pictures, with its subfolders")
        out = "FILE" if name == "verify" else "FOLDER"
        command.add_argument("--out", type=Path, metavar=out, required=name != "verify", help="must be new")
        command.add_argument("--id", metavar="N", help="the id to carry, or the one that is claimed")
        command.add_argument("--message", metavar="HEX", help="the same in hexadecimal digits")
        command.add_argument("--whole", action="store_true", help="whole pictures; look for no faces")
        command.add_argument("--protector", type=Path, metavar="FOLDER", default=PROTECTOR)
        command.add_argument("--payload", metavar="N", default="10", help="bits of an id (default: 10)")
        command.add_argument("--key", metavar="N", default="0", help="secret of the code (default: 0)")
        command.add_argument("--false-positive-rate", metavar="P", default="1e-3", help="bound (default: 1e-3)")
        command.add_argument("--max-pixels", metavar="N", default="50000000", help="larger pictures are refused")
        if name != "verify":
            command.add_argument("--again", action="store_true", help="protect also what carries a message")
        if name == "protect":
            command.add_argument("--quality", metavar="N", default="95", help="of JPEGs (default: 95)")
        if name == "audit":
            command.add_argument("--manipulators", type=Path, metavar="FOLDER", default=MANIPULATORS)
    return parser.parse_args(words)


def _count(given: argparse.Namespace, name: str) -> int:
    text = getattr(given, name)
    if not text.isdecimal():
        raise ArgumentError(f"--{name.replace('_', '-')} must be a whole number; got {text!r}")
    return int(text)


def _rate(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentError(f"--false-positive-rate must be a number such as 1e-3; got {text!r}") from None


def _id(given: argparse.Namespace, code) -> int | None:
    """Return the id of --id or --message, None where neither is given."""
    if given.id is not None and given.message is not None:
        raise ArgumentError("one of --id and --message must be given; got both")
    if given.message is not None:
        return code.parse(given.message)
    if given.id is None:
        return None
    number = _count(given, "id")
    code.encode(number)  # refuses what does not fit, before anything is opened
    return number


def _marker(given: argparse.Namespace):
    from gauntlet.messages import Code
    from gauntlet.readers.protectors import read_protector
    from stages.faces.marking import Marker

    protector = read_protector(given.protector)
    rate = _rate(given.false_positive_rate)
    code = Code(protector.bits, _count(given, "payload"), false_positive_rate=rate, key=_count(given, "key"))
    return Marker(protector, code)


def _how(given: argparse.Namespace):
    from stages.faces.protect import How

    quality = {"quality": _count(given, "quality")} if given.command == "protect" else {}
    again = getattr(given, "again", False)
    return How(whole=given.whole, again=again, max_pixels=_count(given, "max_pixels"), **quality)


def protect(given: argparse.Namespace) -> int:
    """Run `protect`."""
    from stages.faces.protect import check_out, protect_folder

    check_out(given.out, folder=given.folder)
    how, marker = _how(given), _marker(given)
    number = _id(given, marker.code)
    if number is None:
        raise ArgumentError("--id or --message must be given; it is what the pictures shall carry")
    with whole({"out": given.out}) as partial:
        rows = protect_folder(given.folder, partial["out"], marker=marker, id=number, how=how)
    counts = ", ".join(f"{len(found)} {word}" for word, found in rows.items())
    print(f"{given.out}: {counts}")
    return REFUSED if rows["refused"] else 0


def verify(given: argparse.Namespace) -> int:
    """Run `verify`."""
    from stages.faces.verify import line, verify_folder
    from stages.files import write_json

    if given.out is not None and given.out.exists():
        raise ArgumentError(f"--out must be new; {given.out} exists; nothing is overwritten")
    how, marker = _how(given), _marker(given)
    rows = verify_folder(given.folder, marker=marker, claimed=_id(given, marker.code), how=how)
    for row in rows["pictures"]:
        print(line(row))
    if given.out is not None:
        with whole({"out": given.out}) as partial:
            write_json(partial["out"], rows)
    return REFUSED if rows["refused"] else 0


def audit(given: argparse.Namespace) -> int:
    """Run `audit`."""
    from gauntlet.readers.manipulators import read_manipulators
    from stages.faces.audit import audit_folder, table
    from stages.faces.protect import check_out

    check_out(given.out, folder=given.folder)
    how, marker = _how(given), _marker(given)
    number = _id(given, marker.code) or 0
    manipulators = read_manipulators(given.manipulators)
    size_px = marker.protector.shape.size_px
    with whole({"out": given.out}) as partial:
        result = audit_folder(
            given.folder,
            partial["out"],
            marker=marker,
            id=number,
            how=how,
            manipulators=manipulators,
            size_px=size_px,
        )
    print(f"{table(result)}\n{given.out}/audit.json")
    return 0


COMMANDS = {command.__name__: command for command in (protect, verify, audit)}


def main(words: list[str]) -> int:
    """Run the command line and return the exit code."""
    unwind_on_sigterm()
    try:
        given = arguments(words)
        limit_threads(thread_count())
        return COMMANDS[given.command](given)
    except KeyboardInterrupt:
        print("faces: interrupted; nothing was written", file=sys.stderr, flush=True)
        return 130
    except Exception as error:
        return failed("faces", error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
