"""Who fools whom: images made on one model, shown to the others."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from torch import Tensor, nn

from gauntlet.attacks.survival import right_in_batches
from gauntlet.attacks.table import ATTACKS
from gauntlet.suites.classifier import at_eps, pixels, seeded
from gauntlet.suites.plan import Plan


def made_on(source: nn.Module, x: Tensor, y: Tensor, *, attack: str, plan: Plan) -> Tensor:
    """Return the adversarial images of one attack on one model, whole batches at a time, none left out.

    Args:
        source: Pixels in [0, 1] to logits, in eval mode.
        x: uint8, N x C x H x W.
        y: int64, N.
        attack: A key of the plan's `transfer`.
        plan: Eps, settings, batch, seed.

    Returns:
        float32, N x C x H x W in [0, 1].
    """
    run = partial(ATTACKS[attack], eps=plan.eps, **at_eps(attack, plan.transfer[attack], eps=plan.eps))
    x_adv = pixels(x)
    for begin in range(0, len(x), plan.batch):
        chosen = slice(begin, begin + plan.batch)
        x_adv[chosen] = run(source, x_adv[chosen], y[chosen], generator=seeded(plan))
    return x_adv


def transfers(
    models: Mapping[str, nn.Module], x: Tensor, y: Tensor, *, plan: Plan, sources: Sequence[str] | None = None
) -> dict[str, dict[str, np.ndarray]]:
    """Show every model the images made on every source.

    Args:
        models: By name; pixels in [0, 1] to logits, in eval mode.
        x: uint8, N x C x H x W.
        y: int64, N.
        plan: Eps, transfer attacks, batch, seed.
        sources: Names of the models that images are made on; None for all.

    Returns:
        By target: bool [N] by "transfer/<attack>/<source>".
    """
    found: dict[str, dict[str, np.ndarray]] = {name: {} for name in models}
    for attack in plan.transfer:
        for source in sources if sources is not None else models:
            x_adv = made_on(models[source], x, y, attack=attack, plan=plan)
            for target, model in models.items():
                right = right_in_batches(model, x_adv, y, batch=plan.batch)
                found[target][f"transfer/{attack}/{source}"] = right.cpu().numpy()
    return found
