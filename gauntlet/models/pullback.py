"""Where a change of pixels moves an editor's features: a learnt direction of theirs, pulled back to each picture."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

RATE = 10.0
"""How much faster than other weights the shared directions and the gain learn: Adam moves each by the same step."""
HIDDEN = 64


class Direction(nn.Module):
    """Where the features of one depth shall go: a direction for all pictures, and what a small net adds to it."""

    def __init__(self, like: Tensor) -> None:
        super().__init__()
        channels = like.shape[1]
        self.shared = nn.Parameter(0.01 / RATE * torch.randn(like.shape))
        self.first = nn.Conv2d(2 * channels, min(channels, HIDDEN), 3, padding=1)
        self.last = nn.Conv2d(min(channels, HIDDEN), channels, 1)
        nn.init.normal_(self.last.weight, std=0.01)
        nn.init.zeros_(self.last.bias)

    def forward(self, moved: Tensor, clean: Tensor) -> Tensor:
        """Return [B, C, h, w] for the features of the picture as it is moved so far, and as it was."""
        own = self.last(functional.relu(self.first(torch.cat([moved - clean, moved], 1))))
        return RATE * self.shared + own


class Settled(nn.Module):
    """An instance normalisation whose mean and deviation are constants to the gradient: a scale and an offset.

    A second derivative through the statistics would cost half of all that a guide costs.
    """

    def __init__(self, norm: nn.InstanceNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.slack = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """Return what the instance normalisation does, B x C x H x W."""
        with torch.no_grad():
            deviation, mean = torch.var_mean(x.float(), (2, 3), correction=0, keepdim=True)
            scale = self.weight[:, None, None] / (deviation + self.slack).sqrt()
            offset = self.bias[:, None, None] - mean * scale
        return torch.addcmul(offset.to(x.dtype), x, scale.to(x.dtype))


def settled(module: nn.Module) -> nn.Module:
    """Put a `Settled` in the place of each instance normalisation, in place."""
    for name, child in module.named_children():
        setattr(module, name, Settled(child) if isinstance(child, nn.InstanceNorm2d) else settled(child))
    return module


class Pullback(nn.Module):
    """What a learnt direction of the features on an editor's way down is at the pixels: J(x)^T u.

    J is the Jacobian of these layers at the very picture, so that a perturbation follows from each face at the cost of
    a pass through them and back; a network that perturbs in one pass would otherwise have to learn it of the editor.

    Attributes:
        layers: Of the editor, from pixels on [-1, 1]; frozen, in eval mode.
        directions: u, one a layer.
        gain: The root mean square of what is returned, in parts of 1 / RATE.

    Source: ours. It stands in for the first step of PGD from a universal pattern (CMUA), with u in the place of what
    comes back from each edit.
    """

    def __init__(self, layers: Sequence[nn.Module], *, size_px: int, gain: float = 2.0) -> None:
        """Draw the directions from torch's global generator.

        Args:
            layers: Taken over and frozen.
            size_px: Side of the pictures.
            gain: The first one.
        """
        super().__init__()
        self.layers = settled(nn.ModuleList(layers)).requires_grad_(False).eval()
        with torch.no_grad():
            depths = self._features(torch.zeros(1, 3, size_px, size_px))
        self.directions = nn.ModuleList(Direction(each) for each in depths)
        self.gain = nn.Parameter(torch.tensor(gain / RATE))

    def train(self, mode: bool = True) -> "Pullback":
        """Set the mode of all but the layers, whose running statistics are the editor's."""
        super().train(mode)
        self.layers.eval()
        return self

    def forward(self, moved: Tensor, clean: Tensor) -> Tensor:
        """Return a perturbation, [B, 3, side, side], of any sign and of the size of the gain.

        Args:
            moved: Where the Jacobian is taken, [B, 3, side, side] in [0, 1]; nothing is differentiated by it.
            clean: The picture before it was moved.
        """
        learning = torch.is_grad_enabled()
        with torch.no_grad():
            before = self._features(2 * clean - 1)
        with torch.enable_grad():
            pixels = (2 * moved.detach() - 1).requires_grad_()
            now = self._features(pixels)
            ways = [u(a.detach(), b).to(a.dtype) for u, a, b in zip(self.directions, now, before, strict=True)]
            (slope,) = torch.autograd.grad(now, pixels, ways, create_graph=learning)
        size = slope.square().mean((1, 2, 3), keepdim=True).sqrt()
        return RATE * self.gain * slope / size.clamp_min(1e-12)

    def _features(self, x: Tensor) -> list[Tensor]:
        found = []
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found
