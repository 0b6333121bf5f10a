"""A generator on an encoder that it was not trained with, and the random one that must not do as well."""

from copy import deepcopy

import torch
from torch import nn

from gauntlet.models.perturbation import random_like
from gauntlet.models.sentence_encoder import SentenceClassifier, States


def transferred(model: SentenceClassifier, generator: nn.Module) -> SentenceClassifier:
    """Return an ordinarily trained classifier with another's generator; nothing is trained.

    Source: fairBERTs: h_c' + G(h_s') with encoder and classifier of an ordinary fine-tuned model of equal width.
    """
    patched = deepcopy(model)
    patched.generator = deepcopy(generator)
    return patched.requires_grad_(False)


def random_generator(
    model: SentenceClassifier, generator: nn.Module, states: States, *, draw: torch.Generator
) -> nn.Module:
    """Return random weights whose perturbation of these sentences is as long as the trained generator's.

    Args:
        model: It is to be added to.
        generator: The trained one: shape, spread of the weights, length.
        states: What the frozen layers make of some sentences; the lengths are compared there.
        draw: On the CPU.
    """
    made = random_like(deepcopy(generator), generator, draw=draw)
    lengths = [_length(transferred(model, each), states) for each in (generator, made)]
    with torch.no_grad():
        for weight in made.outside.parameters():
            weight.mul_(lengths[0] / max(lengths[1], 1e-12))
    return made


@torch.no_grad()
def _length(model: SentenceClassifier, states: States) -> float:
    """Return the root of the mean squared length of the perturbation."""
    parts = [model.eval()(part).perturbation.square().sum(1) for part in states.chunks()]
    return float(torch.cat(parts).mean().sqrt())
