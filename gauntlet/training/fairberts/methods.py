"""Ways to train a sentence classifier: plain, reweighing, CDA, adversarial with gradient reversal, fairBERTs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.perturbation import GENERATORS, Discriminator
from gauntlet.models.sentence_encoder import POOLINGS, Seen, SentenceClassifier, States, mean
from gauntlet.training.fairberts.losses import ERASURES, apart, effort, group_loss, kept_meaning, reverse
from gauntlet.training.fairberts.rows import UNKNOWN, Rows

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Setting:
    """What stays fixed for a run.

    Attributes:
        weight: lambda, of the group's loss against the label's; at least 0.
        erasure: A key of ERASURES.
        alpha: Of the entropy in the form `deceive`.
        mu: Of the perturbation's squared length.
        beta: Of the classifier's answers kept.
        adversary_steps: k_D, of each discriminator a step of the classifier, at least 1.
        adversary_lr: Of the discriminators.
        adversary_noise: On their scaled input, in standard deviations.
        adversary_decay: AdamW's, of their weights.
        memory: Rows of detached states that the discriminators draw their steps from: the newest.
        pairs: Of `apart`: what is left of the distance between a sentence's state and its twin's, times lambda too;
            where it is above 0 the discriminators also see the twins, as of the other group. It is what all
            discriminators together could learn from: states that are equal in pairs leave them nothing. fairBERTs'
            alone; 0 is the method of the paper.
        labelled: Also a discriminator on (state, label), equalised odds' adversary.
        balanced: Discriminators see rows weighted so that label and group are independent. Without it an honest
            label tells the group in skewed data, and erasing the group erases the label.
        balanced_labels: fairBERTs' and the adversarial baseline's label loss is weighted in the same way; without it
            the label loss of skewed data goes on asking for the group.
        whitened: Discriminators look along the principal directions of the states as they were at the begin.
        generator: A key of GENERATORS.
        hidden: Units inside the generator.
        lr_generator: Of the generator.
        pooling: A key of POOLINGS.
        precision: Of the passes over the upper layers and the generator: "float32", or "bfloat16" through autocast.

    Source: fairBERTs (arXiv 2407.08189); the coefficients' names are those of its closest relative, FAAP. Their values,
    `balanced`, `memory`, `from_uniform` and `pairs` are ours.
    """

    weight: float = 1.0
    erasure: str = "to_uniform"
    alpha: float = 0.0
    mu: float = 0.0
    beta: float = 0.0
    adversary_steps: int = 5
    adversary_lr: float = 1e-3
    adversary_noise: float = 0.0
    adversary_decay: float = 1.0
    memory: int = 128
    pairs: float = 0.0
    labelled: bool = True
    balanced: bool = True
    balanced_labels: bool = True
    whitened: bool = True
    generator: str = "attention"
    hidden: int = 128
    lr_generator: float = 1e-3
    pooling: str = "mean"
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name in (
            "weight",
            "alpha",
            "mu",
            "beta",
            "adversary_lr",
            "adversary_noise",
            "adversary_decay",
            "pairs",
            "lr_generator",
        ):
            if not (value := getattr(self, name)) >= 0:
                raise ArgumentError(f"{name} must be at least 0; got {value:g}")
        for name in ("adversary_steps", "memory", "hidden"):
            if (value := getattr(self, name)) < 1:
                raise ArgumentError(f"{name} must be at least 1; got {value}")
        for name, table in (
            ("erasure", ERASURES),
            ("generator", GENERATORS),
            ("pooling", POOLINGS),
            ("precision", PRECISIONS),
        ):
            if (value := getattr(self, name)) not in table:
                raise ArgumentError(f"{name} must be one of {', '.join(table)}; got {value!r}; misspelt?")


def see(model: SentenceClassifier, states: States, setting: Setting) -> Seen:
    """Return what a classifier makes of sentences, computed in the setting's precision, in float32."""
    # The cache would hand weights cast under no_grad to the pass that has to train them.
    enabled = setting.precision != "float32"
    with torch.autocast("cpu", PRECISIONS[setting.precision], enabled=enabled, cache_enabled=False):
        seen = model(states)
    return Seen(*(part.float() for part in seen))


class Adversaries(nn.ModuleList):
    """The discriminators of a run: on the state, and on (state, label) where the setting asks for it."""

    def __init__(self, width: int, setting: Setting) -> None:
        kinds = (0, 2) if setting.labelled else (0,)
        super().__init__(Discriminator(width, labels=labels, noise=setting.adversary_noise) for labels in kinds)

    def loss(self, state: Tensor, rows: "Known") -> Tensor:
        """Return the sum of their cross-entropies."""
        return sum(group_loss(each(state, rows.y), rows.z, weights=rows.weights) for each in self)


class Known(NamedTuple):
    """What a discriminator is told of rows: label, group, weight."""

    y: Tensor
    z: Tensor
    weights: Tensor


def known(rows: Rows, setting: Setting) -> Known:
    """Return what the discriminators are told."""
    return Known(rows.y, rows.z, rows.weights if setting.balanced else torch.ones_like(rows.weights))


def known_twins(rows: Rows, setting: Setting) -> Known:
    """Return what the discriminators are told of rows and, after them, of their twins: the same, of the other group."""
    told = known(rows, setting)
    other = torch.where(rows.z == UNKNOWN, UNKNOWN, 1 - rows.z)
    # A sentence that names no group is its own twin, and of no group then. Padding moves the mean a little.
    own = (mean(rows.twins) - mean(rows.states)).abs().amax(1) < 1e-4
    z = torch.cat([torch.where(own, UNKNOWN, rows.z), torch.where(own, UNKNOWN, other)])
    return Known(torch.cat([told.y, told.y]), z, torch.cat([told.weights, told.weights]))


def label_loss(logits: Tensor, rows: Rows, setting: Setting) -> Tensor:
    """Return the cross-entropy of the label, weighted where the setting asks for it."""
    each = functional.cross_entropy(logits, rows.y, reduction="none")
    return (each * rows.weights).mean() if setting.balanced_labels else each.mean()


class Step(NamedTuple):
    """What a method makes of a minibatch.

    Attributes:
        loss: Scalar with its graph.
        state: [B, D], detached: for the discriminators' steps; [2 B, D] with twins.
        told: What the discriminators are told of them; None where there are none.
    """

    loss: Tensor
    state: Tensor
    told: Known | None = None


def plain(model: SentenceClassifier, rows: Rows, setting: Setting, *, adversaries: Adversaries) -> Step:
    """Train on the labels alone."""
    seen = see(model, rows.states, setting)
    return Step(functional.cross_entropy(seen.logits, rows.y), seen.state.detach())


def reweighing(model: SentenceClassifier, rows: Rows, setting: Setting, *, adversaries: Adversaries) -> Step:
    """Train on rows weighted so that label and group are independent."""
    seen = see(model, rows.states, setting)
    each = functional.cross_entropy(seen.logits, rows.y, reduction="none")
    return Step((each * rows.weights).mean(), seen.state.detach())


def cda(model: SentenceClassifier, rows: Rows, setting: Setting, *, adversaries: Adversaries) -> Step:
    """Train on every sentence and its twin with the group's words swapped, under the same label."""
    if rows.twins is None:
        raise DataError("cda must have the sentences' twins; the rows have none")
    seen, twin = see(model, rows.states, setting), see(model, rows.twins, setting)
    loss = (functional.cross_entropy(seen.logits, rows.y) + functional.cross_entropy(twin.logits, rows.y)) / 2
    return Step(loss, seen.state.detach())


def adversarial(model: SentenceClassifier, rows: Rows, setting: Setting, *, adversaries: Adversaries) -> Step:
    """Train the label and, through a reversed gradient, against the group; the discriminators learn in their turns."""
    seen = see(model, rows.states, setting)
    loss, told = label_loss(seen.logits, rows, setting), known(rows, setting)
    if setting.weight:
        loss = loss + adversaries.loss(reverse(seen.state, setting.weight), told)
    return Step(loss, seen.state.detach(), told)


def fairberts(model: SentenceClassifier, rows: Rows, setting: Setting, *, adversaries: Adversaries) -> Step:
    """Train label, erasure, effort and meaning; whether the encoder trains along is a matter of what is frozen."""
    seen = see(model, rows.states, setting)
    loss = label_loss(seen.logits, rows, setting) + setting.mu * effort(seen.perturbation)
    if setting.beta:
        loss = loss + setting.beta * kept_meaning(seen.logits, model.head(seen.plain))
    state, told, between = seen.state, known(rows, setting), 0.0
    if setting.weight and setting.pairs:
        if rows.twins is None:
            raise DataError("pairs above 0 must have the sentences' twins; the rows have none")
        twin, told = see(model, rows.twins, setting), known_twins(rows, setting)
        state = torch.cat([seen.state, twin.state])
        between = setting.pairs * apart(seen.state - twin.state, seen.plain - twin.plain)
    if setting.weight:
        erase = ERASURES[setting.erasure]
        erased = sum(erase(each(state, told.y), told.z, alpha=setting.alpha) for each in adversaries)
        loss = loss + setting.weight * (erased + between)
    return Step(loss, state.detach(), told)


METHODS: dict[str, Callable[..., Step]] = {f.__name__: f for f in (plain, reweighing, cda, adversarial, fairberts)}
TURNS = {"adversarial", "fairberts"}
"""Methods whose discriminators take steps of their own between."""
