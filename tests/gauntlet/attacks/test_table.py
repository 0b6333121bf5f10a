"""What every attack of the dict promises."""

import inspect

import pytest
import torch

from gauntlet.attacks.balls import lengths
from gauntlet.attacks.gradient import right
from gauntlet.attacks.table import ATTACKS
from gauntlet.errors import ArgumentError

SETTINGS = {
    "bim": {"alpha": 0.01, "steps": 4},
    "pgd": {"alpha": 0.01, "steps": 4, "restarts": 2},
    "mim": {"steps": 4},
    "dim": {"steps": 4},
    "tim": {"steps": 4},
    "si_ni_fgsm": {"steps": 4},
    "vmi_fgsm": {"steps": 3, "samples": 3},
    "apgd": {"steps": 6},
    "apgd_targeted": {"steps": 6, "targets": 3},
    "fab_targeted": {"steps": 5, "targets": 3},
    "square": {"steps": 60},
    "autoattack": {"steps": 5, "queries": 30},
    "cw": {"steps": 10, "searches": 2},
    "deepfool": {"steps": 10},
    "nes": {"alpha": 0.01, "steps": 6},
    "spsa": {"steps": 6},
    "nattack": {"steps": 6},
    "boundary": {"steps": 30},
}
"""Few steps: what is tested here holds after any number."""
TRANSFER = {"mim", "dim", "tim", "si_ni_fgsm", "vmi_fgsm"}
EPS = {"linf": 0.04, "l2": 0.6, "l1": 3.0}


def norm_of(name: str) -> str:
    norm = inspect.signature(ATTACKS[name]).parameters.get("norm")
    return norm.default if norm else "l2"


def call(name: str, model, x, y, *, eps=None, seed: int = 0) -> torch.Tensor:
    eps = EPS[norm_of(name)] if eps is None else eps
    return ATTACKS[name](model, x, y, eps=eps, **SETTINGS.get(name, {}), generator=torch.Generator().manual_seed(seed))


def agree(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the share of images that are the same; a sign of nearly nothing may turn with the order of a sum."""
    return float(((first - second).flatten(1).abs().amax(1) < 1e-4).float().mean())


@pytest.fixture(scope="module")
def some(trained):
    return (
        trained.model,
        trained.x[:40],
        torch.where(torch.arange(40) % 8 == 0, (trained.y[:40] + 1) % 10, trained.y[:40]),
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_stays_in_ball_and_box_and_leaves_the_model_alone(some, name):
    model, x, y = some
    before, kept = x.clone(), [weight.clone() for weight in model.parameters()]
    x_adv = call(name, model, x, y)
    assert x_adv.shape == x.shape
    assert x_adv.dtype == torch.float32
    assert not x_adv.requires_grad
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1
    assert (lengths(x_adv - x, norm_of(name)) <= EPS[norm_of(name)] + 1e-6).all()
    assert torch.equal(x, before)
    assert not model.training
    assert all(weight.grad is None for weight in model.parameters())
    assert all(map(torch.equal, kept, model.parameters()))


@pytest.mark.parametrize("name", ATTACKS)
def test_breaks_something(some, name):
    model, x, y = some
    assert right(model, call(name, model, x, y), y).sum() < right(model, x, y).sum()


@pytest.mark.parametrize("name", ATTACKS)
def test_eps_zero_is_identity(some, name):
    assert torch.equal(call(name, *some, eps=0.0), some[1])


@pytest.mark.parametrize("name", ATTACKS)
def test_a_permuted_batch_gives_the_permuted_result(some, name):
    model, x, y = some
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(3))
    assert agree(call(name, model, x, y)[order], call(name, model, x[order], y[order])) >= 0.95


@pytest.mark.parametrize("name", ATTACKS)
def test_neighbours_do_not_matter(some, name):
    model, x, y = some
    assert agree(call(name, model, x, y)[10:20], call(name, model, x[10:20], y[10:20])) >= 0.9


@pytest.mark.parametrize("name", sorted(set(ATTACKS) - TRANSFER))
def test_wrong_images_come_back_unchanged(some, name):
    model, x, y = some
    wrong = ~right(model, x, y)
    assert wrong.sum() >= 5
    assert torch.equal(call(name, model, x, y)[wrong], x[wrong])


@pytest.mark.parametrize("name", ATTACKS)
def test_a_radius_for_each_image(some, name):
    model, x, y = some
    eps = torch.linspace(0, 2 * EPS[norm_of(name)], len(x))
    x_adv = call(name, model, x, y, eps=eps)
    assert (lengths(x_adv - x, norm_of(name)) <= eps + 1e-6).all()
    assert torch.equal(x_adv[0], x[0])
    assert agree(x_adv[20:30], call(name, model, x[20:30], y[20:30], eps=eps[20:30])) >= 0.9


@pytest.mark.parametrize("name", ATTACKS)
def test_no_image_is_no_work(some, name):
    model, x, y = some
    assert call(name, model, x[:0], y[:0]).shape == (0, *x.shape[1:])


@pytest.mark.parametrize("name", ATTACKS)
def test_bad_input_is_refused_in_one_line(some, name):
    model, x, y = some
    probabilities = torch.nn.Sequential(model, torch.nn.Softmax(1)).eval()
    for line, arguments, eps in (
        (r"eps must lie in .* \(8/255, not 8\); got 80", (model, x, y), 80.0),
        (r"pixels must lie in \[0, 1\]", (model, 255 * x, y), None),
        ("y must be int64", (model, x, y.float()), None),
        (r"labels must lie in \[0, 9\]", (model, x, y + 5), None),
        ("its rows are probabilities", (probabilities, x, y), None),
    ):
        with pytest.raises(ArgumentError, match=line) as caught:
            call(name, *arguments, eps=eps)
        assert "\n" not in str(caught.value)
