"""How TransAudio attacks: budgets of both stages, and the differences of its released code as switches."""

from dataclasses import dataclass, field

from gauntlet.errors import ArgumentError

SCORE_MATCH = ("none", "surrogate_ft", "objective")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Release:
    """What the authors' code does otherwise; all off by default.

    Attributes:
        linear_time: A word lies where its letters lie in the text, spread evenly over the utterance.
        no_ball: Nothing bounds the change, neither an eps-ball nor [-1, 1].
        raw_first_gradient: The first gradient enters the momentum as it is, and so outweighs all later ones.
        lopsided_smoothing: The kernel of the gradient's smoothing leans to one side.
        windowed_utterance: Hamming windows over the clip and over all that stands left and right of it.
        insert_without_second_stage: The loop of stage 2 runs zero times for insert.
    """

    linear_time: bool = False
    no_ball: bool = False
    raw_first_gradient: bool = False
    lopsided_smoothing: bool = False
    windowed_utterance: bool = False
    insert_without_second_stage: bool = False


@dataclass(frozen=True)
class Setting:
    """One setting of the attack.

    Attributes:
        eps: Largest change of a sample, in [0, 1], from the utterance with the unattacked clip in it.
        alpha: Length of a step, above 0 (the release: 0.08 / 100).
        local_steps: Of stage 1, on the clip alone; 0 leaves it out.
        global_steps: Of stage 2, on the whole utterance; 0 leaves it out.
        momentum: What the sum of gradients keeps, in [0, 1] (the release: 0.5; substitute 0.9).
        surrogates: How many surrogates stage 2 attacks together, the first ones; at least 1.
        check_every: Steps between two looks whether all its surrogates hear the target in an utterance, which is then
            done; 0 never looks.
        smoothing: Chance that a step of stage 2 smooths its gradient, in [0, 1] (the release: 0.5).
        score_match: "none"; "surrogate_ft": the surrogates are tuned beforehand; "objective": stage 2 lowers the
            residual of score matching, too.
        sigma: Standard deviation of the noise of score matching, above 0.
        lam: Weight of its residual, at least 0; the residual's gradient is some hundred times smaller than the loss's.
        fade_s: Cross-fade at the joints, at least 0.
        insert_high_pass_hz: Frequencies below it are taken out of the word inserted (the release: 1000).
        substitute_high_pass_hz: And out of a replacement (the release: 100).
        precision: Of the gradients' passes, "float32" or "bfloat16" (twice as fast on a CPU that has it).
        release: The released code's differences.

    Raises:
        ArgumentError: A number outside its range.
    """

    eps: float = 0.02
    alpha: float = 0.001
    local_steps: int = 30
    global_steps: int = 100
    momentum: float = 0.9
    surrogates: int = 1
    check_every: int = 10
    smoothing: float = 0.0
    score_match: str = "none"
    sigma: float = 0.01
    lam: float = 100.0
    fade_s: float = 0.015
    insert_high_pass_hz: float = 1000.0
    substitute_high_pass_hz: float = 100.0
    precision: str = "float32"
    release: Release = field(default_factory=Release)

    def __post_init__(self) -> None:
        rules = {
            "eps must lie in [0, 1] (a share of full scale, not of 32768)": 0 <= self.eps <= 1,
            "alpha must be above 0": self.alpha > 0,
            "steps must be at least 0": min(self.local_steps, self.global_steps, self.check_every) >= 0,
            "momentum and smoothing must lie in [0, 1]": 0 <= self.momentum <= 1 and 0 <= self.smoothing <= 1,
            "surrogates must be at least 1": self.surrogates >= 1,
            f"score_match must be one of {', '.join(SCORE_MATCH)}": self.score_match in SCORE_MATCH,
            f"precision must be one of {', '.join(PRECISIONS)}": self.precision in PRECISIONS,
            "sigma must be above 0 and lam at least 0": self.sigma > 0 and self.lam >= 0,
            "fade_s and the high passes must be at least 0": min(self.fade_s, *self.high_pass_hz.values()) >= 0,
        }
        if broken := [rule for rule, holds in rules.items() if not holds]:
            raise ArgumentError(f"{broken[0]}; got {self}")

    @property
    def high_pass_hz(self) -> dict[str, float]:
        """Return the high passes by kind of edit."""
        return {"insert": self.insert_high_pass_hz, "substitute": self.substitute_high_pass_hz}
