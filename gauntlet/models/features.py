"""The features under a classifier's last layer, from the same forward pass as its logits."""

from typing import NamedTuple

from torch import Tensor, nn

from gauntlet.errors import ArgumentError


class Outputs(NamedTuple):
    """What one forward pass gives: logits B x C and the features B x D that the last linear layer took."""

    logits: Tensor
    features: Tensor


def logits_and_features(model: nn.Module, x: Tensor) -> Outputs:
    """Run a classifier once and return its logits and its penultimate features, both with their graph.

    Networks of this package offer `embed` and `head`. Of any other the input of its last `nn.Linear` is taken, in the
    order in which its modules were registered.

    Args:
        model: Pixels to logits.
        x: B x C x H x W.

    Raises:
        ArgumentError: The model has no linear layer, or the last one takes no part in the forward pass.
    """
    if hasattr(model, "embed") and hasattr(model, "head"):
        features = model.embed(x)
        return Outputs(model.head(features), features)
    taken: list[Tensor] = []
    handle = last_linear(model).register_forward_pre_hook(lambda module, inputs: taken.append(inputs[0]))
    try:
        logits = model(x)
    finally:
        handle.remove()
    if len(taken) != 1 or len(taken[0]) != len(x):
        raise ArgumentError(
            f"the last linear layer of {type(model).__name__} must take the features once a forward pass; it ran "
            f"{len(taken)} times; give the model `embed` and `head`"
        )
    return Outputs(logits, taken[0].flatten(1))


def last_linear(model: nn.Module) -> nn.Linear:
    """Return the linear layer that was registered last.

    Raises:
        ArgumentError: There is none, as in a network that ends in a convolution.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise ArgumentError(
            f"{type(model).__name__} must end in a linear layer; it has none; give the model `embed` and `head`"
        )
    return layers[-1]
