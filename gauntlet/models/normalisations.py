"""Normalisations of feature maps by name."""

from collections.abc import Callable

from torch import nn

from gauntlet.errors import ArgumentError

NORMALISATIONS: dict[str, Callable[[int], nn.Module]] = {
    "instance": lambda width: nn.InstanceNorm2d(width, affine=True),
    "batch": nn.BatchNorm2d,
}


def normalisation(name: str, width: int) -> nn.Module:
    """Return a fresh one over `width` channels.

    Raises:
        ArgumentError: There is none of that name.
    """
    if name not in NORMALISATIONS:
        raise ArgumentError(f"norm must be one of {', '.join(NORMALISATIONS)}; got {name!r}; misspelt?")
    return NORMALISATIONS[name](width)
