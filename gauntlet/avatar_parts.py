"""Prepare the SVG of one part of a drawn face, so that parts can be put into one drawing."""

import re

from gauntlet.errors import DataError

SLOTS = {"Facial-Hair": "@beard@", "Accessory": "@glasses@"}
COLOURS = {
    "Hair-Color": "@hair@",
    "Facial-Hair-Color": "@hair@",
    "Skin-Color": "@skin@",
    "Fabric-Color": "@fabric@",
}


def prepare_part(name: str, svg: str) -> str:
    """Take the drawing out of a part's SVG, mark its slots and colours, and make its ids its own.

    Raises:
        DataError: It is no SVG.
    """
    found = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
    if not found:
        raise DataError(f"{name} must be an SVG with an <svg> element; it has none; another file?")
    inner = re.sub(
        r'\s(?!xlink:)[\w-]+:[\w-]+="[^"]*"', "", found[1]
    )  # editors' attributes, whose namespaces stay behind
    for slot, mark in SLOTS.items():
        inner = re.sub(rf'(<g id="{slot}"[^>/]*)(?:/>|>\s*</g>)', rf"\1>{mark}</g>", inner)
    for colour, mark in COLOURS.items():
        inner = re.sub(rf'<[a-z]+\b[^>]*\bid="{colour}"[^>]*>', lambda tag, mark=mark: _filled(tag[0], mark), inner)
    own = re.sub(r"\W", "-", name)
    inner = re.sub(r'\bid="', f'id="{own}-', inner)
    return re.sub(r'(url\(#|href="#)', rf"\1{own}-", inner)


def _filled(tag: str, mark: str) -> str:
    bare = re.sub(r'\sfill="[^"]*"', "", tag)
    return re.sub(r"^<([a-z]+)", rf'<\1 fill="{mark}"', bare)
