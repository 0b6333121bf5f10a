"""How TransAudio attacks: budgets of both stages, and the differences of its released code as switches."""

from dataclasses import dataclass, field

from gauntlet.errors import ArgumentError

SCORE_MATCH = ("none", "surrogate_ft", "objective")
PRECISIONS = ("float32", "bfloat16")
_LEAST = 1e-12  # above 0


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
        steps = ("local_steps", "global_steps", "check_every")
        passes = ("fade_s", "insert_high_pass_hz", "substitute_high_pass_hz")
        self._hold(("eps",), "lie in [0, 1], a share of full scale (0.005, not 164 of 32768)", low=0, high=1)
        self._hold(("alpha", "sigma"), "be above 0", low=_LEAST)
        self._hold(steps, "be at least 0", low=0)
        self._hold(("momentum", "smoothing"), "lie in [0, 1]", low=0, high=1)
        self._hold(("surrogates",), "be at least 1", low=1)
        self._hold(("lam", *passes), "be at least 0", low=0)
        for name, known in {"score_match": SCORE_MATCH, "precision": PRECISIONS}.items():
            if (value := getattr(self, name)) not in known:
                raise ArgumentError(f"{name} must be one of {', '.join(known)}; got {value!r}; misspelt?")

    def _hold(self, names: tuple[str, ...], rule: str, *, low: float, high: float = float("inf")) -> None:
        for name in names:
            if not low <= (value := getattr(self, name)) <= high:
                raise ArgumentError(f"{name} must {rule}; got {value}")

    @property
    def high_pass_hz(self) -> dict[str, float]:
        """Return the high passes by kind of edit."""
        return {"insert": self.insert_high_pass_hz, "substitute": self.substitute_high_pass_hz}
