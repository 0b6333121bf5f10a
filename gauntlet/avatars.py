"""Drawn faces: an SVG put together from parts, with exact attributes and exact single edits.

The parts are those of python_avatars (Avataaars by Pablo Stanley, free for any use); where each goes follows the slots
in their own files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from PIL import Image

from gauntlet.errors import ArgumentError, DataError

ATTRIBUTES = ("black_hair", "blond_hair", "brown_hair", "glasses", "beard")
"""What a face is labelled with and what can be edited; the first three exclude one another."""

HAIR = {
    "black": ("#231815", "#2c1b18", "#1d1b22"),
    "blond": ("#d6b370", "#e2c585", "#c9a258"),
    "brown": ("#724133", "#7d4c35", "#643a2c"),
    "red": ("#c93305", "#b8442a"),
    "silver": ("#dcd8d8", "#c4c6cc"),
    "pink": ("#f59797", "#e07fae"),
    "blue": ("#4a78b5", "#3f9aa8"),
}
"""Shades of each colour of hair; an edit takes the first."""

GLASSES = ("wayfarers", "prescription_01", "prescription_02", "round")
BEARDS = ("beard_medium", "beard_light", "beard_magestic")
"""Kinds of glasses and beard; an edit that adds one takes the first."""

STYLES = (
    "big_hair",
    "bob",
    "bun",
    "buzzcut",
    "caesar",
    "caesar_side_part",
    "cornrows",
    "curly",
    "curvy",
    "elvis",
    "evil_spike",
    "fro",
    "frizzle",
    "long_not_too_long",
    "mia_wallace",
    "mohawk",
    "mowgli",
    "pixie",
    "pompadour",
    "quiff",
    "shaggy",
    "shaggy_mullet",
    "short_curly",
    "short_dreads_1",
    "short_dreads_2",
    "short_flat",
    "short_round",
    "short_waved",
    "straight_1",
    "straight_strand",
)
SKINS = ("#ffdbb4", "#f2c9a0", "#edb98a", "#d08b5b", "#ae5d29", "#c68642", "#614335")
EYES = ("default", "happy", "side", "wink", "squint", "surprised", "eye_roll", "closed")
EYEBROWS = (
    "default",
    "default_natural",
    "flat_natural",
    "raised_excited",
    "raised_excited_natural",
    "sad_concerned_natural",
    "up_down_natural",
    "angry_natural",
)
NOSES = ("default", "small", "wide")
MOUTHS = ("default", "smile", "twinkle", "serious", "big_smile", "concerned", "grimace", "sad", "disbelief")
CLOTHES = (
    "blazer_shirt",
    "blazer_sweater",
    "collar_sweater",
    "graphic_shirt",
    "hoodie",
    "overall",
    "shirt_crew_neck",
    "shirt_scoop_neck",
    "shirt_v_neck",
)
FABRICS = (
    "#262e33",
    "#65c9ff",
    "#5199e4",
    "#25557c",
    "#e6e6e6",
    "#929598",
    "#3c4f5c",
    "#a7ffc4",
    "#ffdeb5",
    "#ff488e",
    "#ff5c5c",
)

FRAME = (22, 8, 220)
"""Left, top and side of the square that is shown, in the units of the parts."""


@dataclass(frozen=True)
class Face:
    """One drawn face.

    Attributes:
        style: Of the hair, one of `STYLES`.
        hair: Colour of hair and beard, a key of `HAIR`.
        shade: Index into its shades.
        glasses: One of `GLASSES`, or "" for none.
        beard: One of `BEARDS`, or "" for none.
        eyes, eyebrows, nose, mouth, clothes: Names of parts.
        skin, fabric: Colours.
        background: Two colours, blended along `angle`.
        angle: Direction of the blend, degrees.
        frame: Left, top and side of the square that is shown.
    """

    style: str
    hair: str
    shade: int
    glasses: str
    beard: str
    eyes: str
    eyebrows: str
    nose: str
    mouth: str
    clothes: str
    skin: str
    fabric: str
    background: tuple[str, str]
    angle: float
    frame: tuple[float, float, float] = FRAME

    @property
    def attributes(self) -> tuple[bool, ...]:
        """Whether each of `ATTRIBUTES` holds."""
        return (*(self.hair == colour for colour in ("black", "blond", "brown")), bool(self.glasses), bool(self.beard))

    def edited(self, attribute: str) -> "Face":
        """Return the face with one edit: that colour of hair, or glasses or beard put on or taken off.

        Raises:
            ArgumentError: No such attribute.
        """
        if attribute not in ATTRIBUTES:
            raise ArgumentError(f"attribute must be one of {', '.join(ATTRIBUTES)}; got {attribute!r}; misspelt?")
        colour = attribute.removesuffix("_hair")
        if colour != attribute:
            return self if self.hair == colour else replace(self, hair=colour, shade=0)
        if attribute == "glasses":
            return replace(self, glasses="" if self.glasses else GLASSES[0])
        return replace(self, beard="" if self.beard else BEARDS[0])


def identities(split: str, *, seed: int) -> list[tuple[str, str]]:
    """List the pairs of hair style and skin of a split; no pair is in two splits.

    Args:
        split: "train" (70 % of the pairs), "val" (10 %) or "test" (20 %).
        seed: Of the division.
    """
    pairs = [(style, skin) for style in STYLES for skin in SKINS]
    order = np.random.default_rng(seed).permutation(len(pairs))
    ends = {"train": (0.0, 0.7), "val": (0.7, 0.8), "test": (0.8, 1.0)}[split]
    first, last = (round(end * len(pairs)) for end in ends)
    return [pairs[place] for place in order[first:last]]


def random_face(generator: np.random.Generator, *, pairs: Sequence[tuple[str, str]] | None = None) -> Face:
    """Draw a face.

    Args:
        generator: Where all of it comes from.
        pairs: Hair styles and skins to choose among; None for all.
    """

    def one(values: Sequence) -> object:
        return values[int(generator.integers(len(values)))]

    style, skin = one(pairs) if pairs else (one(STYLES), one(SKINS))
    # Three quarters have a colour that is labelled.
    hair = one(tuple(HAIR)[:3]) if generator.random() < 0.75 else one(tuple(HAIR)[3:])
    left, top, side = FRAME
    zoom = generator.uniform(0.88, 1.0)
    shift = generator.uniform(-8, 8, 2)
    margin = side * (1 - zoom) / 2
    frame = (left + margin + shift[0], top + margin + shift[1], side * zoom)
    return Face(
        style=style,
        hair=hair,
        shade=int(generator.integers(len(HAIR[hair]))),
        glasses=one(GLASSES) if generator.random() < 0.4 else "",
        beard=one(BEARDS) if generator.random() < 0.4 else "",
        eyes=one(EYES),
        eyebrows=one(EYEBROWS),
        nose=one(NOSES),
        mouth=one(MOUTHS),
        clothes=one(CLOTHES),
        skin=skin,
        fabric=one(FABRICS),
        background=_blend(generator),
        angle=float(generator.uniform(0, 360)),
        frame=tuple(round(float(value), 2) for value in frame),
    )


def _blend(generator: np.random.Generator) -> tuple[str, str]:
    """Draw two muted colours, the same twice for one face in four."""
    colours = generator.integers(70, 236, (2, 3))
    first, second = (f"#{''.join(f'{value:02x}' for value in colour)}" for colour in colours)
    return (first, first) if generator.random() < 0.25 else (first, second)


FOLDERS = {
    "clothes": "Clothing goes here",
    "mouth": "Mouth goes here",
    "nose": "Nose goes here",
    "eyes": "Eyes go here",
    "eyebrows": "Eyebrows go here",
    "style": "Top goes here",
}


def face_svg(face: Face, parts: Mapping[str, str]) -> str:
    """Put a face together.

    Args:
        face: What to draw.
        parts: Prepared parts by name, such as "top/hair/bob.svg" (`gauntlet.readers.faces.read_parts`).

    Raises:
        DataError: A part is missing.
    """

    def part(name: str) -> str:
        if name not in parts:
            raise DataError(f"the parts must hold {name}; they do not; another version of python_avatars?")
        return parts[name]

    drawing = part("styles/transparent.svg")
    for field, slot in FOLDERS.items():
        folder = {"style": "top/hair"}.get(field, field)
        drawing = drawing.replace(f"<!-- {slot} -->", part(f"{folder}/{getattr(face, field)}.svg"))
    marks = {
        "@beard@": part(f"facial_hair/{face.beard}.svg") if face.beard else "",
        "@glasses@": part(f"accessories/{face.glasses}.svg") if face.glasses else "",
        "@hair@": HAIR[face.hair][face.shade],
        "@skin@": face.skin,
        "@fabric@": face.fabric,
    }
    for mark, value in marks.items():
        drawing = drawing.replace(mark, value)
    left, top, side = face.frame
    first, last = face.background
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {side} {side}"><defs>'
        f'<linearGradient id="blend" gradientTransform="rotate({face.angle:.1f} .5 .5)">'
        f'<stop offset="0" stop-color="{first}"/><stop offset="1" stop-color="{last}"/></linearGradient></defs>'
        f'<rect x="-100" y="-100" width="500" height="500" fill="url(#blend)"/>{drawing}</svg>'
    )


def draw_face(face: Face, parts: Mapping[str, str], *, size_px: int) -> np.ndarray:
    """Draw a face.

    Args:
        face: What to draw.
        parts: As for `face_svg`.
        size_px: Side of the picture, from 16.

    Returns:
        uint8, size_px x size_px x 3.

    Raises:
        ArgumentError: The size is too small.
        DataError: A part is missing.
    """
    if size_px < 16:
        raise ArgumentError(f"size_px must be at least 16; got {size_px}")
    import resvg_py

    drawn = resvg_py.svg_to_bytes(
        svg_string=face_svg(face, parts), width=size_px, height=size_px, skip_system_fonts=True
    )
    return np.asarray(Image.open(BytesIO(bytes(drawn))).convert("RGB"))
