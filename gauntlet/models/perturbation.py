"""What is added to a sentence state so that it no longer tells of a group, and who tries to tell it all the same.

The last layer of every generator also reads the sentence state itself: a generator narrower than the state could not
take a direction out of it otherwise.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from gauntlet.errors import ArgumentError
from gauntlet.models.sentence_encoder import States, mean


class MlpGenerator(nn.Module):
    """Two layers over the mean of the tokens and the sentence state.

    Args:
        width: D, of the states.
        hidden: Units between.
    """

    def __init__(self, width: int, *, hidden: int = 256) -> None:
        super().__init__()
        self.inside = nn.Linear(2 * width, hidden)
        self.outside = zero(nn.Linear(hidden + width, width))

    def forward(self, states: States, plain: Tensor) -> Tensor:
        """Return the perturbation, [B, D]."""
        return self.outside(torch.cat([functional.gelu(self.inside(torch.cat([mean(states), plain], 1))), plain], 1))


class AttentionGenerator(nn.Module):
    """A transformer block over the tokens, `hidden` wide, pooled by learned queries, and two layers.

    Args:
        width: D, of the states.
        hidden: Width inside; heads must divide it.
        heads: Of the block, and queries that pool.
    """

    def __init__(self, width: int, *, hidden: int = 128, heads: int = 4) -> None:
        super().__init__()
        if hidden % heads:
            raise ArgumentError(f"hidden must be a multiple of the {heads} heads; got {hidden}")
        self.down = nn.Linear(width, hidden)
        self.block = nn.TransformerEncoderLayer(
            hidden, heads, 2 * hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.queries = nn.Linear(hidden, heads, bias=False)
        self.inside = nn.Linear(heads * hidden + width, 2 * hidden)
        self.outside = zero(nn.Linear(2 * hidden + width, width))

    def forward(self, states: States, plain: Tensor) -> Tensor:
        """Return the perturbation, [B, D]."""
        tokens = self.block(self.down(states.values), src_key_padding_mask=~states.mask)
        weights = self.queries(tokens).masked_fill(~states.mask[..., None], -torch.inf).softmax(1)
        pooled = (weights.transpose(1, 2) @ tokens).flatten(1)
        inside = functional.gelu(self.inside(torch.cat([pooled, plain], 1)))
        return self.outside(torch.cat([inside, plain], 1))


class GruGenerator(nn.Module):
    """A recurrent layer over the tokens, to and fro.

    Args:
        width: D, of the states.
        hidden: Units of each direction.
    """

    def __init__(self, width: int, *, hidden: int = 128) -> None:
        super().__init__()
        self.recurrent = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        self.outside = zero(nn.Linear(2 * hidden + width, width))

    def forward(self, states: States, plain: Tensor) -> Tensor:
        """Return the perturbation, [B, D]."""
        lengths = states.mask.sum(1).cpu()
        packed = pack_padded_sequence(states.values, lengths, batch_first=True, enforce_sorted=False)
        last = self.recurrent(packed)[1]
        return self.outside(torch.cat([last[0], last[1], plain], 1))


GENERATORS: dict[str, Callable[..., nn.Module]] = {
    "mlp": MlpGenerator,
    "attention": AttentionGenerator,
    "gru": GruGenerator,
}


def zero(layer: nn.Linear) -> nn.Linear:
    """Set a layer to nothing: a generator that ends in it changes no state until it has learned to."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


@torch.no_grad()
def random_like(generator: nn.Module, reference: nn.Module, *, draw: torch.Generator) -> nn.Module:
    """Fill a generator with random weights that have, tensor by tensor, the mean and spread of a trained one's.

    Args:
        generator: Overwritten, of the same shape as `reference`; returned.
        reference: Trained.
        draw: On the CPU.
    """
    for weight, trained in zip(generator.parameters(), reference.parameters(), strict=True):
        weight.copy_(torch.randn(weight.shape, generator=draw) * trained.std(correction=0) + trained.mean())
    return generator


class Projection(nn.Module):
    """Takes directions out of the sentence state: a perturbation that is linear in it.

    Args:
        directions: float32, [K, D], orthonormal rows; K may be 0.
    """

    def __init__(self, directions: Tensor) -> None:
        super().__init__()
        self.register_buffer("directions", directions)

    def forward(self, states: States, plain: Tensor) -> Tensor:
        """Return minus the part of the state along the directions, [B, D]."""
        return -(plain @ self.directions.T) @ self.directions


class Discriminator(nn.Module):
    """Guesses the group from a sentence state, and from the label beside it where `labels` are given to it.

    Args:
        width: D, of the state.
        groups: Z.
        labels: Number of labels of a discriminator on (state, label), equalised odds' adversary; 0 for the state alone.
        dropout: Share of units dropped.
        noise: Standard deviation of what is added to the scaled state while it trains: a discriminator that is sure of
            every row has no slope left to learn from.
    """

    def __init__(
        self, width: int, *, groups: int = 2, labels: int = 0, dropout: float = 0.1, noise: float = 0.0
    ) -> None:
        super().__init__()
        self.labels, self.noise = labels, noise
        # The scale of the begin: one that follows the states would undo whatever a generator takes out of them.
        self.register_buffer("turn", torch.eye(width))
        self.register_buffer("middle", torch.zeros(width))
        self.inside = nn.Linear(width + labels, width)
        self.dropout = nn.Dropout(dropout)
        self.outside = nn.Linear(width, groups)

    @torch.no_grad()
    def whiten(self, states: Tensor, *, ridge: float = 1e-3) -> None:
        """Look along the principal directions of some states [N, D], the small ones enlarged, from now on.

        Args:
            states: As they are before anything is taken out of them.
            ridge: Share of the mean variance that is added to each direction's, at least 0.
        """
        self.middle.copy_(states.mean(0))
        variances, directions = torch.linalg.eigh(torch.cov(states.T))
        self.turn.copy_(directions / (variances.clamp_min(0) + ridge * variances.mean()).sqrt())

    def forward(self, state: Tensor, y: Tensor) -> Tensor:
        """Return logits of the group, [B, Z], from states [B, D] and labels int64 [B]."""
        state = (state - self.middle) @ self.turn
        if self.noise:
            state = state + self.noise * torch.randn_like(state)
        if self.labels:
            state = torch.cat([state, functional.one_hot(y, self.labels).to(state)], 1)
        return self.outside(self.dropout(functional.gelu(self.inside(state))))
