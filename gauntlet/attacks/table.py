"""The attacks on images by name."""

from collections.abc import Callable

from torch import Tensor

from gauntlet.attacks.apgd import apgd, apgd_targeted
from gauntlet.attacks.autoattack import autoattack
from gauntlet.attacks.boundary import boundary
from gauntlet.attacks.carlini_wagner import cw
from gauntlet.attacks.deepfool import deepfool
from gauntlet.attacks.fab import fab_targeted
from gauntlet.attacks.gradient import bim, fgsm, pgd
from gauntlet.attacks.score_based import nattack, nes, spsa
from gauntlet.attacks.square import square
from gauntlet.attacks.transfer import dim, mim, si_ni_fgsm, tim, vmi_fgsm

ATTACKS: dict[str, Callable[..., Tensor]] = {
    f.__name__: f
    for f in (
        fgsm,
        bim,
        pgd,
        mim,
        dim,
        tim,
        si_ni_fgsm,
        vmi_fgsm,
        apgd,
        apgd_targeted,
        fab_targeted,
        square,
        autoattack,
        cw,
        deepfool,
        nes,
        spsa,
        nattack,
        boundary,
    )
}
