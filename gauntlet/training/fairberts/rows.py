"""What the methods train on: token states of sentences with label, group, twin and weight."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gauntlet.errors import DataError
from gauntlet.models.sentence_encoder import States

UNKNOWN = -1
"""The group of a row whose group is not known: it trains the classifier and no discriminator."""


class Rows(NamedTuple):
    """Labelled sentences.

    Attributes:
        states: What the frozen layers make of them.
        y: int64, [N]: 0 or 1.
        z: int64, [N]: group 0 or 1, or UNKNOWN.
        weights: float32, [N]: of `reweighing`; mean 1 over the rows whose group is known.
        twins: States of the sentences with the group's words swapped, where there are any.
    """

    states: States
    y: Tensor
    z: Tensor
    weights: Tensor
    twins: States | None = None

    def rows(self, index: Tensor) -> "Rows":
        """Return some rows."""
        twins = None if self.twins is None else self.twins.rows(index)
        return Rows(self.states.rows(index), self.y[index], self.z[index], self.weights[index], twins)

    def batches(self, size: int, *, generator: torch.Generator) -> Iterator["Rows"]:
        """Return the rows in random order, of like length within a batch; the last batch may be small.

        Sentences of like length cost less padding, so they are sorted within eight batches' worth of random rows.
        """
        order = torch.randperm(len(self.y), generator=generator)
        lengths = self.states.mask.sum(1)
        sorts = [part[lengths[part].argsort(stable=True)] for part in order.split(8 * size)]
        parts = [batch for part in sorts for batch in part.split(size)]
        for place in torch.randperm(len(parts), generator=generator).tolist():
            yield self.rows(parts[place])


def labelled_rows(states: States, y: Tensor, z: Tensor, *, twins: States | None = None) -> Rows:
    """Put rows together and weigh them.

    Raises:
        DataError: A label or a group is missing altogether: nothing can be learned of it.
    """
    for name, values in (("label", y), ("group", z)):
        if {*values[values != UNKNOWN].tolist()} != {0, 1}:
            raise DataError(f"the training rows must have both {name}s, 0 and 1; got {sorted({*values.tolist()})}")
    return Rows(states, y, z, reweighing(y, z), twins)


def reweighing(y: Tensor, z: Tensor) -> Tensor:
    """Return weights under which label and group are independent: P(y) P(z) / P(y, z); 1 where z is UNKNOWN.

    Args:
        y: int64, [N].
        z: int64, [N].

    Source: Kamiran and Calders, Data preprocessing techniques for classification without discrimination (2012).

    >>> reweighing(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 1, 1])).tolist()
    [0.75, 0.75, 1.5, 0.5]
    """
    weights = torch.ones(len(y))
    known = z != UNKNOWN
    for label in y[known].unique():
        for group in z[known].unique():
            cell = known & (y == label) & (z == group)
            if cell.any():
                expected = (y[known] == label).float().mean() * (z[known] == group).sum()
                weights[cell] = expected / cell.sum()
    return weights


@torch.no_grad()
def raised(rows: Rows, upper: nn.Module) -> Rows:
    """Return the rows as trained upper layers see them, so that a patch of frozen ones trains without them."""

    def raise_all(states: States) -> States:
        training = upper.training
        upper.eval()
        values = torch.zeros_like(states.values)
        for index in torch.arange(len(states.mask)).split(64):
            part = upper(states.rows(index))
            values[index, : part.mask.shape[1]] = part.values
        upper.train(training)
        return States(values, states.mask)

    twins = None if rows.twins is None else raise_all(rows.twins)
    return rows._replace(states=raise_all(rows.states), twins=twins)
