"""Fast adversarial training: FGSM-LAW, the methods it is measured against, and the loop that runs them all.

`build` makes a method by its name in METHODS; `loop.begin` and `loop.train` run it.
"""

from collections.abc import Mapping
from dataclasses import fields

from gauntlet.errors import ArgumentError
from gauntlet.training.fgsm_law.law import FgsmLaw
from gauntlet.training.fgsm_law.method import Method
from gauntlet.training.fgsm_law.one_step import Fgsm, FgsmCkpt, FgsmRs, MultiGrad, NFgsm, Plain, ZeroGrad
from gauntlet.training.fgsm_law.priors import FgsmEp, FgsmMep, FgsmSdi, Free
from gauntlet.training.fgsm_law.references import PgdAt, Trades
from gauntlet.training.fgsm_law.regularisers import Gat, GradAlign, NuAt
from gauntlet.training.fgsm_law.subspace import SubAt

METHODS: dict[str, type[Method]] = {
    "plain": Plain,
    "fgsm": Fgsm,
    "fgsm_rs": FgsmRs,
    "n_fgsm": NFgsm,
    "grad_align": GradAlign,
    "fgsm_ep": FgsmEp,
    "fgsm_mep": FgsmMep,
    "fgsm_sdi": FgsmSdi,
    "free": Free,
    "zero_grad": ZeroGrad,
    "multi_grad": MultiGrad,
    "gat": Gat,
    "nuat": NuAt,
    "fgsm_ckpt": FgsmCkpt,
    "sub_at": SubAt,
    "fgsm_law": FgsmLaw,
    "pgd_at": PgdAt,
    "trades": Trades,
}


def build(name: str, settings: Mapping[str, object] | None = None) -> Method:
    """Make a training method.

    Args:
        name: A key of METHODS.
        settings: Hyper-parameters that differ from the method's defaults.

    Raises:
        ArgumentError: There is no such method, or it has no such setting.
    """
    settings = dict(settings or {})
    if name not in METHODS:
        raise ArgumentError(f"the method must be one of {', '.join(METHODS)}; got {name!r}")
    known = {field.name: field for field in fields(METHODS[name])}
    if unknown := sorted(settings.keys() - known):
        raise ArgumentError(f"{name} must be given its own settings ({', '.join(known)}); got {', '.join(unknown)}")
    for key, value in settings.items():
        default = known[key].default
        if isinstance(default, str | bool | int | float) and not _alike(value, default):
            raise ArgumentError(f"{name}'s {key} must be like its default {default!r}; got {value!r}")
    return METHODS[name](**settings)


def _alike(value: object, default: str | bool | int | float) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)
