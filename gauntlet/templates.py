"""Hand-written prompt templates by data set: `{}` stands for the name of the class."""

from collections.abc import Sequence

from gauntlet.errors import ArgumentError

IMAGENET = (
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)
"""CLIP's seven that do most of the work of its eighty; their text features are averaged."""

TEMPLATES: dict[str, tuple[str, ...]] = {
    "imagenet": IMAGENET,
    "caltech-101": ("a photo of a {}.",),
    "oxford_pets": ("a photo of a {}, a type of pet.",),
    "stanford_cars": ("a photo of a {}.",),
    "oxford_flowers": ("a photo of a {}, a type of flower.",),
    "food-101": ("a photo of {}, a type of food.",),
    "fgvc_aircraft": ("a photo of a {}, a type of aircraft.",),
    "sun397": ("a photo of a {}.",),
    "dtd": ("{} texture.",),
    "eurosat": ("a centered satellite photo of {}.",),
    "ucf101": ("a photo of a person doing {}.",),
    "imagenetv2": IMAGENET,
    "imagenet-sketch": IMAGENET,
    "imagenet-adversarial": IMAGENET,
    "imagenet-rendition": IMAGENET,
    "photos": ("a picture of a {}.", "an image of a {}.", "a {}."),
    "things": ("a picture of a {}.", "a drawing of a {}."),
    "clutter": ("a picture of a {}.", "a drawing of a {}."),
    "backdrops": ("a picture on a {} background.", "a drawing on a {} background."),
}
"""By the name of the set's folder, as CoOp and Tip-Adapter pair them; the last four are of the sets built here.

Source: CoOp (Zhou et al., IJCV 2022), appendix; CLIP's notebook on prompts for ImageNet's seven.
"""

GENERAL = ("a photo of a {}.",)
"""For a set that `TEMPLATES` does not know."""


def templates_of(name: str) -> tuple[str, ...]:
    """Return the templates of a set by its name; a style of a set ("photos-flat") has the set's own."""
    return TEMPLATES.get(name) or TEMPLATES.get(name.rpartition("-")[0]) or GENERAL


def prompts(class_names: Sequence[str], templates: Sequence[str]) -> list[list[str]]:
    """Fill every template with every class.

    Args:
        class_names: C names; an underscore is read as a blank.
        templates: T texts, each with `{}` once.

    Returns:
        C lists of T prompts.

    Raises:
        ArgumentError: No templates, or one without exactly one `{}`.

    >>> prompts(["pea_pod"], ["a photo of a {}."])
    [['a photo of a pea pod.']]
    """
    if not templates:
        raise ArgumentError("templates must hold at least one text; got none")
    if bad := [text for text in templates if text.count("{}") != 1]:
        raise ArgumentError(f"a template must hold {{}} once, for the class; got {bad[0]!r}; a named field?")
    return [[text.replace("{}", name.replace("_", " ")) for text in templates] for name in class_names]
