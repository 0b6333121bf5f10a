"""Captions of composed pictures: which things they show, in which style, over a background of which colour."""

from collections.abc import Sequence

import numpy as np

from gauntlet.errors import ArgumentError

STYLES = {
    "flat": ("flat drawing", "drawing", "coloured drawing"),
    "outline": ("outline drawing", "drawing", "sketch"),
    "render": ("rendering", "model", "render"),
    "photo": ("photo", "photograph"),
}
"""What a caption may call a picture of each style; "picture" and "image" fit all of them."""

KINDS = {"marine": "sea creature"}
"""What a coarse class is called where its name is no noun."""

COLOURS = ("black", "grey", "white", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
"""Words of `colour_word`, the ones without hue first."""

# Upper ends of the hue ranges, in degrees: red wraps around 0.
_HUES = ((18, "red"), (42, "orange"), (70, "yellow"), (160, "green"), (195, "cyan"), (255, "blue"), (290, "purple"))
_HUES_LAST = ((340, "pink"), (361, "red"))


def article(words: str) -> str:
    """Put the indefinite article before words, by their first letter.

    >>> article("owl"), article("pea pod")
    ('an owl', 'a pea pod')
    """
    return f"{'an' if words.lower().startswith(('a', 'e', 'i', 'o')) else 'a'} {words}"


def colour_shares(pixels: np.ndarray) -> np.ndarray:
    """Count which share of the pixels each of `COLOURS` names.

    Args:
        pixels: uint8, ... x 3.

    Returns:
        float64, one share a colour, summing to 1.

    Raises:
        ArgumentError: The array is not uint8 with three channels, or holds no pixel.
    """
    if pixels.dtype != np.uint8 or pixels.shape[-1] != 3 or not pixels.size:
        raise ArgumentError(f"pixels must be uint8 ... x 3, at least one; got {pixels.dtype} {pixels.shape}")
    red, green, blue = pixels.reshape(-1, 3).T.astype(np.float32) / 255
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    chroma = high - low
    safe = np.where(chroma > 0, chroma, 1)
    hue = np.where(
        high == red,
        (green - blue) / safe % 6,
        np.where(high == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    ranges = (*_HUES, *_HUES_LAST)
    places = np.searchsorted([end for end, _ in ranges], hue * 60, side="right")
    word = np.array([COLOURS.index(name) for _, name in ranges])[places]
    lightness = (high + low) / 2
    word[chroma < 0.12] = COLOURS.index("grey")
    word[(chroma < 0.12) & (lightness > 0.8)] = COLOURS.index("white")
    word[(lightness < 0.12) | ((chroma < 0.12) & (lightness < 0.2))] = COLOURS.index("black")
    return np.bincount(word, minlength=len(COLOURS)) / len(word)


def colour_word(pixels: np.ndarray) -> str:
    """Name the colour that most pixels have: one of `COLOURS`.

    Args:
        pixels: uint8, ... x 3.

    Raises:
        ArgumentError: As `colour_shares`.

    >>> colour_word(np.full((2, 2, 3), (20, 160, 40), np.uint8))
    'green'
    """
    return COLOURS[int(colour_shares(pixels).argmax())]


def caption(things: Sequence[tuple[str, str]], *, style: str, background: str, generator: np.random.Generator) -> str:
    """Write one caption of a picture; what it leaves out is drawn at random, as people leave things out.

    Args:
        things: Name and coarse class (or its word in `KINDS`) of each thing, the main one first.
        style: A key of `STYLES`.
        background: A colour of the background.
        generator: Source of the choices.

    Returns:
        Such as "a flat drawing of an owl, a kind of bird, on a green background."

    Raises:
        ArgumentError: No things, or an unknown style.
    """
    if not things or style not in STYLES:
        raise ArgumentError(f"a caption needs a thing and a style of {', '.join(STYLES)}; got {len(things)}, {style!r}")
    kinds = (*STYLES[style], "picture", "image")
    said = []
    for name, coarse in ((name, KINDS.get(coarse, coarse)) for name, coarse in things):
        manner = generator.random()
        if name == coarse or manner < 0.6:
            said.append(article(name))
        else:
            said.append(article(coarse) if manner < 0.7 else f"{article(name)}, a kind of {coarse},")
    subject = " and ".join(said)
    words = subject if generator.random() < 0.15 else f"{article(kinds[generator.integers(len(kinds))])} of {subject}"
    if generator.random() < 0.5:
        words = f"{words} on {article(background)} background"
    return words.rstrip(",") + "."
