"""Each suite against what is known beforehand of a linear, a constant and a one-frequency classifier."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from gauntlet.errors import ArgumentError
from gauntlet.metrics.ares_bench import ROUNDING
from gauntlet.suites import SUITES, Plan, fits
from gauntlet.suites.classifier import MOMENTUM, at_eps, corrupted, pixels
from tests.gauntlet.suites.conftest import SIDE_PX, Wave

PLAN = Plan(
    batch=7,
    eps=0.008,
    steps=20,
    budgets={
        "linf": tuple(0.002 * place for place in range(1, 7)),
        "l2": tuple(0.03 * place for place in range(1, 7)),
    },
    step_counts=(1, 3, 8, 20),
    attacks={"fgsm": {}, "bim": {"steps": 10}, "pgd": {"steps": 10}, "mim": {}, "apgd": {"steps": 10}},
    low_pass=(0, 1, 2, 3, 4),
    corruptions=("brightness", "contrast"),
    defences={"bit_depth": {"bits": 3}, "randomisation": {}},
    checked=4,
)
QUICK = [name for name in SUITES if name != "corruptions"]


def held(least, eps):
    return (least > eps).numpy()


@pytest.mark.parametrize("norm", PLAN.budgets)
def test_curves_of_a_linear_classifier_are_its_closed_form(linear, norm):
    found = SUITES["curves"](*linear, plan=PLAN)
    least = linear.model.radii(linear.x, linear.y, norm)
    assert found.values["clean"].tolist() == held(least, 0).tolist()
    assert found.values.keys() == {"clean", "radius/linf", "radius/l2"}
    radius = found.values[f"radius/{norm}"]
    assert (radius[~found.values["clean"]] == 0).all()
    for budget in PLAN.budgets[norm]:
        assert ((radius > budget + ROUNDING) == held(least, budget)).all(), budget
    assert 0 < np.isinf(radius).sum() < 12
    broken = np.isfinite(radius) & (radius > 0)
    assert (radius[broken] >= least.numpy()[broken] * (1 - 1e-5)).all()


@pytest.mark.parametrize("eps", [0.003, 0.008, 0.012])
def test_attacks_and_steps_on_a_linear_classifier_reach_the_corner_of_the_ball(linear, eps):
    plan, least = replace(PLAN, eps=eps), linear.model.radii(linear.x, linear.y, "linf")
    found = SUITES["attacks"](*linear, plan=plan).values
    assert {key for key in found if key != "clean"} == {f"attack/{name}" for name in plan.attacks}
    for name in plan.attacks:
        assert found[f"attack/{name}"].tolist() == held(least, eps).tolist(), name
    steps = SUITES["steps"](*linear, plan=plan).values
    for count in (8, 20):  # a quarter of eps, eight times: across the ball whatever the start
        assert steps[f"steps/{count}"].tolist() == held(least, eps).tolist()
    assert 0 < found["attack/pgd"].sum() < found["clean"].sum()


def test_more_steps_never_bring_an_image_back(linear):
    found = SUITES["steps"](*linear, plan=PLAN).values
    line = [found["clean"], *(found[f"steps/{count}"] for count in PLAN.step_counts)]
    for weaker, stronger in pairwise(line):
        assert (weaker | ~stronger).all()
    assert line[-1].sum() < line[1].sum()


@pytest.mark.parametrize("name", QUICK)
def test_a_constant_classifier_keeps_its_own_class_under_everything(constant, name):
    found = SUITES[name](*constant, plan=PLAN).values
    own = (constant.y == 1).numpy()
    for key, value in found.items():
        expected = np.where(own, np.inf, 0) if key.startswith("radius/") else own
        assert value.tolist() == expected.tolist(), key


@pytest.mark.parametrize("cycles", [1, 2, 3])
def test_one_who_looks_at_one_frequency_needs_that_frequency_alone(cycles):
    phase = torch.tensor([1.0, -1.0]).repeat(6)
    wave = torch.cos(2 * torch.pi * cycles * torch.arange(SIDE_PX) / SIDE_PX)
    x = (127 + 60 * phase.view(-1, 1, 1, 1) * wave).round().byte().expand(-1, 3, SIDE_PX, SIDE_PX)
    y = (phase < 0).long()
    found = SUITES["frequency"](Wave(cycles), x, y, plan=PLAN).values
    assert list(found) == [f"low_pass/{radius}" for radius in PLAN.low_pass]
    for radius in PLAN.low_pass:
        right = found[f"low_pass/{radius}"]
        assert right.all() if radius >= cycles else right.mean() == 0.5, radius


def test_attacks_keep_to_the_ball_and_to_those_that_the_model_gets_right(linear):
    """Nothing is attacked that is wrong already, and every attack sees pixels in [0, 1]."""
    seen = []

    class Watched(nn.Module):
        def forward(self, x):
            seen.append(x.detach())
            return linear.model(x)

    found = SUITES["steps"](Watched().eval(), linear.x, linear.y, plan=PLAN).values
    assert all(each.min() >= 0 and each.max() <= 1 for each in seen)
    assert sum(len(each) for each in seen[:4]) == len(linear.x)
    assert max(len(each) for each in seen) <= PLAN.batch
    assert found["clean"].sum() == 20


def same(one, other, order=slice(None)):
    assert one.values.keys() == other.values.keys()
    for key, value in one.values.items():
        if key.startswith("radius/"):
            np.testing.assert_allclose(other.values[key], value[order], atol=1e-6)
        else:
            assert other.values[key].tolist() == value[order].tolist(), key


@pytest.mark.parametrize("name", QUICK)
def test_neither_the_batch_nor_the_order_of_images_changes_an_outcome(linear, name):
    plan = replace(PLAN, defences={"bit_depth": {"bits": 3}})
    whole = SUITES[name](*linear, plan=plan)
    for batch in (1, 100):
        same(whole, SUITES[name](*linear, plan=replace(plan, batch=batch)))
    order = torch.randperm(len(linear.y), generator=torch.Generator().manual_seed(9))
    permuted = SUITES[name](linear.model, linear.x[order], linear.y[order], plan=plan)
    same(whole, permuted, order.numpy())


@pytest.mark.parametrize("name", QUICK)
def test_the_same_seed_gives_the_same_outcomes(linear, name):
    first, again = (SUITES[name](*linear, plan=PLAN) for _ in range(2))
    same(first, again)
    assert first.problems == again.problems


def test_defences_that_give_no_gradient_are_attacked_through_and_called_by_name(linear):
    found = SUITES["defences"](*linear, plan=replace(PLAN, eps=0.08, checked=12))
    assert found.values.keys() == {f"defence/{name}/{what}" for name in PLAN.defences for what in ("clean", "robust")}
    for name in PLAN.defences:
        clean, robust = found.values[f"defence/{name}/clean"], found.values[f"defence/{name}/robust"]
        assert (clean | ~robust).all()
    # Rounding to eight levels gives no gradient: only the straight-through attack can have found these.
    assert found.values["defence/bit_depth/robust"].sum() < found.values["defence/bit_depth/clean"].sum()
    assert any("gradient" in line and "zero" in line for line in found.problems["bit_depth"])
    assert any("random" in line for line in found.problems["randomisation"])


def test_signs_of_masked_gradients_are_told_of_the_model(linear):
    class Flat(nn.Module):
        def forward(self, x):
            return linear.model((x * 16).round() / 16).round()

    told = SUITES["attacks"](*linear, plan=PLAN).problems
    assert told.keys() == {""}
    assert not any("gradient" in line for line in told[""])
    masked = SUITES["attacks"](Flat().eval(), linear.x, linear.y, plan=PLAN).problems[""]
    assert sum("is zero at 4 of 4 images" in line for line in masked) == 2


@pytest.fixture
def larger():
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (6, 3, 32, 32), generator=generator, dtype=torch.uint8)


def test_corruptions_are_tried_at_five_severities(larger):
    class Bright(nn.Module):
        def forward(self, x):
            z = x.mean((1, 2, 3)) - 0.55
            return torch.stack([z, -z], dim=1)

    model, y = Bright().eval(), torch.ones(6, dtype=torch.int64)
    found = SUITES["corruptions"](model, larger, y, plan=PLAN).values
    assert list(found) == [f"corruption/{name}/{level}" for name in PLAN.corruptions for level in range(1, 6)]
    means = {key: pixels(each).mean((1, 2, 3)) for key, each in corrupted(larger, plan=PLAN).items()}
    for key, right in found.items():
        assert right.tolist() == (means[key] <= 0.55).tolist()
    line = [found[f"corruption/brightness/{level}"].sum() for level in range(1, 6)]
    assert line == sorted(line, reverse=True)
    assert line[0] > line[-1]


def test_corrupted_pictures_are_the_same_for_every_model(larger):
    plan = replace(PLAN, corruptions=("gaussian_noise", "fog"))
    first, again = corrupted(larger, plan=plan), corrupted(larger, plan=plan)
    assert all(torch.equal(each, again[key]) for key, each in first.items())
    assert all(each.shape == larger.shape and each.dtype == torch.uint8 for each in first.values())
    other = corrupted(larger, plan=replace(plan, seed=1))
    assert not torch.equal(first["corruption/gaussian_noise/1"], other["corruption/gaussian_noise/1"])


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((3, 32, 32), ""),
        ((3, 32, 40), ""),
        ((1, 32, 32), "these pictures are 1 x 32 x 32"),
        ((3, 31, 32), "these pictures are 3 x 31 x 32"),
        ((3, 40, 28), "these pictures are 3 x 40 x 28"),
    ],
)
def test_suites_that_do_not_fit_the_pictures_say_why(shape, reason):
    x = torch.zeros(2, *shape, dtype=torch.uint8)
    said = fits("corruptions", x)
    assert said.endswith(reason)
    assert bool(said) == bool(reason)
    assert [name for name in SUITES if fits(name, x)] == (["corruptions"] if reason else [])


def test_a_step_is_set_where_an_attack_needs_one():
    assert at_eps("pgd", {"steps": 3}, eps=0.2) == {"steps": 3, "alpha": 0.05}
    assert at_eps("bim", {"alpha": 0.1}, eps=0.2) == {"alpha": 0.1}
    assert at_eps("mim", {}, eps=0.2) == {}  # twenty steps of eps/18 of its own
    assert at_eps("square", {"steps": 9}, eps=0.2) == {"steps": 9}


@pytest.mark.parametrize("name", MOMENTUM)
@pytest.mark.parametrize("steps", [1, 5, 20, 40])
def test_fewer_steps_of_momentum_are_longer_ones(linear, name, steps):
    """Ten of them, eps/18 long, would keep to the middle half of the ball."""
    settings = at_eps(name, {"steps": steps}, eps=0.18)
    assert settings == {"steps": steps, "alpha": pytest.approx(0.2 / steps)}
    if name == "mim":
        found = SUITES["attacks"](*linear, plan=replace(PLAN, attacks={name: {"steps": steps}})).values
        assert found["attack/mim"].tolist() == held(linear.model.radii(linear.x, linear.y, "linf"), PLAN.eps).tolist()


class Spoilt(nn.Module):
    """A classifier that returns what no attack can use."""

    def __init__(self, model: nn.Module, spoil) -> None:
        super().__init__()
        self.model, self.spoil = model, spoil
        self.eval()

    def forward(self, x):
        return self.spoil(self.model(x))


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda logits: logits.softmax(1), "the model must return logits; its rows are probabilities"),
        (lambda logits: logits * torch.nan, "logits must be finite; 7 of 7 images got NaN or infinity"),
        (lambda logits: logits[:, :1], "the model must return float logits"),
    ],
    ids=["probabilities", "NaN", "one class"],
)
@pytest.mark.parametrize("name", QUICK)
def test_a_model_that_no_suite_can_use_is_one_line(linear, name, spoil, line):
    with pytest.raises(ArgumentError, match=line) as caught:
        SUITES[name](Spoilt(linear.model, spoil), linear.x, linear.y, plan=PLAN)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", QUICK)
def test_pixels_in_the_place_of_pictures_are_refused(linear, name):
    """Divided by 255 once more they would be black, and every outcome wrong without a word."""
    for x in (pixels(linear.x), linear.x.double()):
        with pytest.raises(ArgumentError, match=r"pictures must be uint8, 0 to 255; got torch.float.*; divided by"):
            SUITES[name](linear.model, x, linear.y, plan=PLAN)
