"""What is asked for when, and of which editor most."""

from collections.abc import Sequence
from dataclasses import dataclass

from gauntlet.errors import ArgumentError


@dataclass(frozen=True)
class Curriculum:
    """First the message alone, then a ramp of the disruption, then both under distortions.

    Attributes:
        message: Share of the run before any disruption, in [0, 1].
        full: Share at which the disruption weighs all, at least `message`.
        distortions: Share from which on pictures are distorted, in [0, 1].

    Source: IAP's sheet has epochs 0 to 5 without disruption, then a ramp, then distortions. Here distortions may come
    first: a carrier that JPEG takes away is better not learnt.
    """

    message: float = 0.1
    full: float = 0.3
    distortions: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.message <= self.full <= 1 or not 0 <= self.distortions <= 1:
            raise ArgumentError(
                "message <= full and distortions must be shares of the run in [0, 1]; "
                f"got {self.message}, {self.full}, {self.distortions}"
            )

    def disruption(self, done: float) -> float:
        """Return by how much the disruption weighs, 0 to 1, when the share `done` of the run is over."""
        if done < self.message:
            return 0.0
        if done >= self.full:
            return 1.0
        return (done - self.message) / (self.full - self.message)

    def distorts(self, done: float) -> bool:
        """Say whether pictures are distorted by now."""
        return done >= self.distortions


class Balance:
    """Running success against each editor, and the weights that follow: the least disrupted one weighs most.

    Attributes:
        success: Running protection rate by name, from 0.
        floor: Weight of an editor all of whose edits are disrupted to that of one none of whose are, in (0, 1].
        decay: Of the running mean, in [0, 1).

    Source: IAP's sheet, balance of models by running success; the form is ours: 1 - success, with a floor, of mean 1.
    """

    def __init__(self, names: Sequence[str], *, floor: float = 0.2, decay: float = 0.9) -> None:
        self.success = dict.fromkeys(names, 0.0)
        self.floor, self.decay = floor, decay

    def add(self, name: str, rate: float) -> None:
        """Take in the protection rate against an editor in this step, in [0, 1]."""
        self.success[name] = self.decay * self.success[name] + (1 - self.decay) * rate

    def weight(self, name: str) -> float:
        """Return the editor's weight; all of them have mean 1."""
        left = {each: self.floor + (1 - self.floor) * (1 - rate) for each, rate in self.success.items()}
        return left[name] * len(left) / sum(left.values())

    def state(self) -> dict:
        """Return the running rates."""
        return dict(self.success)

    def load(self, state: dict) -> None:
        """Take up where `state` left off."""
        self.success = dict(state)
