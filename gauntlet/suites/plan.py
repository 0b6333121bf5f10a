"""How a classifier is tried; the defaults are for small pictures and two cores."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gauntlet.attacks.balls import NORMS
from gauntlet.attacks.table import ATTACKS
from gauntlet.errors import ArgumentError
from gauntlet.models.defences import DEFENCES
from gauntlet.shifts.corruptions import CORRUPTIONS

Settings = Mapping[str, str | int | float | bool]


def _linf() -> tuple[float, ...]:
    return tuple(budget / 255 for budget in range(1, 33))


def _l2() -> tuple[float, ...]:
    return tuple(budget / 8 for budget in range(1, 33))


@dataclass(frozen=True)
class Plan:
    """What is tried, and how hard.

    Attributes:
        seed: Of all randomness; an image's share of it depends on the image alone.
        batch: Images at a time.
        eps: Linf radius of the attacks of one budget.
        steps: Steps of the PGD behind curves and defences.
        budgets: Radii of the curve by norm, rising from above 0.
        step_counts: Numbers of PGD steps, rising, for accuracy against attack strength.
        attacks: Settings by name in `ATTACKS`, without eps; the Linf ones run at `eps`.
        transfer: The same, for the attacks that are carried from model to model.
        low_pass: Cut-off radii, in cycles an image.
        corruptions: Names in `CORRUPTIONS`.
        defences: Settings by name in `DEFENCES`.
        checked: Images, of those that are classified right, on which a model's and its defences' gradients are checked
            for masking.
    """

    seed: int = 0
    batch: int = 100
    eps: float = 8 / 255
    steps: int = 20
    budgets: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: {"linf": _linf(), "l2": _l2()})
    step_counts: tuple[int, ...] = (1, 2, 5, 10, 20, 50)
    attacks: Mapping[str, Settings] = field(
        default_factory=lambda: {"fgsm": {}, "mim": {}, "apgd": {"steps": 20}, "square": {"steps": 200}}
    )
    transfer: Mapping[str, Settings] = field(default_factory=lambda: {"mim": {"steps": 10}})
    low_pass: tuple[float, ...] = (2, 3, 4, 5, 6, 8, 10, 12, 16)
    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    defences: Mapping[str, Settings] = field(
        default_factory=lambda: {"bit_depth": {"bits": 3}, "jpeg": {"quality": 50}, "randomisation": {}}
    )
    checked: int = 16

    def __post_init__(self) -> None:
        for what, names, known in (
            ("budgets", self.budgets, NORMS),
            ("attacks", [*self.attacks, *self.transfer], ATTACKS),
            ("corruptions", self.corruptions, CORRUPTIONS),
            ("defences", self.defences, DEFENCES),
        ):
            if wrong := [name for name in names if name not in known]:
                raise ArgumentError(f"{what} must be among {', '.join(known)}; got {wrong[0]!r}; misspelt?")
        if not 0 < self.eps <= 1:
            raise ArgumentError(f"eps must lie in (0, 1] (8/255, not 8); got {self.eps:g}")
        if list(self.step_counts) != sorted(set(self.step_counts)):
            raise ArgumentError(f"step_counts must rise; got {self.step_counts}")
