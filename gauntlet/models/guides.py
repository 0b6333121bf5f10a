"""The guides of a protector: made of the editors that it is trained against, and built again for its weights."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict

import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.models.attention_gan import AttentionGan
from gauntlet.models.attgan import AttGan, AttGanShape
from gauntlet.models.manipulators import Manipulator
from gauntlet.models.pullback import Pullback
from gauntlet.models.stargan import StarGan, StarGanShape

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "StarGan": lambda **shape: StarGan(StarGanShape(**shape)),
    "AttGan": lambda **shape: AttGan(AttGanShape(**shape)),
    "AttentionGan": lambda **shape: AttentionGan(StarGanShape(**shape)),
}
"""Generators that have a way down, by the name of their class: fields of their shape to a fresh one."""


def guides_of(manipulators: Mapping[str, Manipulator], *, size_px: int, each: bool) -> dict[str, Pullback]:
    """Return fresh guides with copies of the editors' layers; editors of other networks give none.

    Args:
        manipulators: By name.
        size_px: Side of the pictures.
        each: A guide an edit where the edit's code enters at the top; one under the mean of the codes without.
    """
    ways = _ways(manipulators, each=each)
    networks = [network for network, _ in ways.values()]
    # The guides of an editor begin with the weight of one: their slopes add up like strangers.
    return {
        name: Pullback(_descent(network, code), size_px=size_px, gain=2.0 / math.sqrt(networks.count(network)))
        for name, (network, code) in ways.items()
    }


def described(manipulators: Mapping[str, Manipulator], *, each: bool) -> dict[str, dict]:
    """Return what `built` needs for the same guides: {name: {"network": key of NETWORKS, "shape": its fields}}."""
    ways = _ways(manipulators, each=each)
    return {
        name: {"network": type(network).__name__, "shape": asdict(network.shape)} for name, (network, _) in ways.items()
    }


def built(descriptions: Mapping[str, Mapping], *, size_px: int) -> dict[str, Pullback]:
    """Return guides with random weights, to load theirs into.

    Raises:
        ArgumentError: A description names no network, or not the fields of its shape.
    """
    guides = {}
    for name, description in descriptions.items():
        try:
            network = NETWORKS[description["network"]](**description["shape"])
        except (KeyError, TypeError) as error:
            raise ArgumentError(
                f"guide {name} must say its network ({', '.join(NETWORKS)}) and shape; got {description}; {error!r}"
            ) from None
        guides[name] = Pullback(_descent(network, _mean(network)), size_px=size_px)
    return guides


def _ways(manipulators: Mapping[str, Manipulator], *, each: bool) -> dict[str, tuple[nn.Module, Tensor]]:
    """Return generators and the codes, 1 x A, that their layers are looked at under."""
    found = {}
    for name, manipulator in manipulators.items():
        network = getattr(manipulator, "generator", None)
        if type(network).__name__ not in NETWORKS:
            continue
        if each and not isinstance(network, AttGan):
            for at, code in enumerate(torch.eye(network.shape.codes).split(1)):
                found[f"{name}_{at}"] = network, code
        else:
            found[name] = network, _mean(network)
    return found


def _mean(network: nn.Module) -> Tensor:
    return torch.full((1, network.shape.codes), 1 / network.shape.codes)


def _descent(network: nn.Module, code: Tensor) -> list[nn.Module]:
    # An AttGAN's code comes in behind these layers.
    return network.descent() if isinstance(network, AttGan) else network.descent(code)
