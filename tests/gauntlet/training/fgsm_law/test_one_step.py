import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.training.fgsm_law import build
from gauntlet.training.fgsm_law.method import Batch, Method, Setting, input_gradient
from gauntlet.training.fgsm_law.one_step import first_wrong, without_small

EPS = 8 / 255


class Watched(nn.Module):
    """Keeps what it was shown, counts backward passes, and knows its mode at each forward pass."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside, self.seen, self.modes, self.backwards = inside, [], [], 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach().clone())
        self.modes.append(self.training)
        logits = self.inside(x)
        if logits.requires_grad:
            logits.register_hook(self._count)
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.backwards += len(gradient)


def watched(*, batch_norm: bool = False) -> Watched:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4) if batch_norm else nn.Identity(), nn.Tanh(), nn.Flatten()]
    return Watched(nn.Sequential(*layers, nn.Linear(4 * 36, 5)))


def run(method: Method, model: nn.Module, batch: Batch, *, eps: float = EPS, classes: int = 5):
    setting = Setting(eps, classes, len(batch.x), tuple(batch.x.shape[1:]), 1, 1, "cpu")
    model.train()
    method.begin(model, setting, torch.Generator().manual_seed(3))
    loss = method.loss(model, batch, torch.Generator().manual_seed(4))
    loss.value.backward()
    return loss


def batch_of(x: Tensor, y: Tensor, *, classes: int = 5) -> Batch:
    return Batch(x, y, functional.one_hot(y, classes).float(), torch.arange(len(x)), 0, 0.0)


@pytest.fixture
def batch() -> Batch:
    draw = torch.Generator().manual_seed(1)
    return batch_of(torch.rand(6, 3, 8, 8, generator=draw), torch.arange(6) % 5)


def slope(model: Watched, x: Tensor, y: Tensor) -> Tensor:
    return input_gradient(model.inside, x, y).gradient


def boxed(x: Tensor) -> Tensor:
    return x.clamp(0, 1)


def test_fgsm_is_its_formula(batch):
    model = watched()
    run(build("fgsm"), model, batch)
    at_x, adversarial = model.seen
    assert torch.equal(at_x, batch.x)
    torch.testing.assert_close(adversarial, boxed(batch.x + EPS * slope(model, batch.x, batch.y).sign()))


def test_fgsm_rs_is_its_formula(batch):
    model = watched()
    run(build("fgsm_rs"), model, batch)
    start, adversarial = model.seen
    delta = (start + 1.25 * EPS * slope(model, start, batch.y).sign() - batch.x).clamp(-EPS, EPS)
    torch.testing.assert_close(adversarial, boxed(batch.x + delta))
    assert (adversarial - batch.x).abs().max() <= EPS + 1e-6


def test_n_fgsm_is_clipped_to_the_box_alone(batch):
    model = watched()
    run(build("n_fgsm"), model, batch)
    start, adversarial = model.seen
    torch.testing.assert_close(adversarial, boxed(start + EPS * slope(model, start, batch.y).sign()))
    assert 1.9 * EPS < (start - batch.x).abs().max() <= 2 * EPS + 1e-6
    assert 2.5 * EPS < (adversarial - batch.x).abs().max() <= 3 * EPS + 1e-6


def test_zero_grad_moves_the_large_entries_alone(batch):
    model = watched()
    run(build("zero_grad"), model, batch)
    start, adversarial = model.seen
    gradient = slope(model, start, batch.y)
    least = torch.quantile(gradient.abs().flatten(1), 0.35, dim=1)
    kept = torch.where(gradient.abs() < least[:, None, None, None], 0.0, gradient.sign())
    torch.testing.assert_close(adversarial, boxed(batch.x + (start + 2 * EPS * kept - batch.x).clamp(-EPS, EPS)))


@pytest.mark.parametrize("share", [0.0, 0.35, 0.5, 0.7, 1.0])
def test_the_share_that_is_zeroed_is_torchs_quantile(share):
    gradient = torch.randn(3, 2, 5, 7, generator=torch.Generator().manual_seed(0))
    gradient[0] = gradient[0].round(decimals=1)  # ties
    least = torch.quantile(gradient.abs().flatten(1), share, dim=1)[:, None, None, None]
    assert torch.equal(without_small(gradient, share), torch.where(gradient.abs() < least, 0.0, gradient))


@pytest.mark.parametrize("together", [False, True])
def test_multi_grad_steps_from_the_image_where_all_starts_agree(batch, together):
    model = watched()
    run(build("multi_grad", {"together": together}), model, batch, eps=0.5)
    *starts, adversarial = model.seen
    starts = starts[0].chunk(3) if together else starts
    signs = torch.stack([slope(model, start, batch.y).sign() for start in starts])
    agreed = torch.where((signs == signs[0]).all(0), signs[0], 0.0)
    assert 0 < (agreed == 0).float().mean() < 1
    torch.testing.assert_close(adversarial, boxed(batch.x + 0.5 * agreed))


def threshold(at: float) -> nn.Module:
    """Class 1 exactly where the pixel is above `at`."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[-1.0], [1.0]]))
        model[1].bias.copy_(torch.tensor([at, -at]))
    return Watched(model)


@pytest.mark.parametrize(("at", "share"), [(0.2, 0.25), (0.55, 0.75), (0.76, 1.0), (2.0, 1.0)])
def test_ckpt_takes_the_nearest_wrong_point(at, share):
    model = threshold(0.5 - at * 0.2)
    x = torch.full((3, 1, 1, 1), 0.5)
    batch = batch_of(x, torch.ones(3, dtype=torch.int64), classes=2)
    run(build("fgsm_ckpt", {"checkpoints": 4, "alpha": 2.0, "judged_at": "clean"}), model, batch, eps=0.2, classes=2)
    torch.testing.assert_close(model.seen[-1], x - share * 0.2)


@pytest.mark.parametrize("judged_at", ["start", "clean"])
def test_ckpt_leaves_wrong_images_alone(judged_at):
    model, x = threshold(0.9), torch.full((3, 1, 1, 1), 0.5)
    batch = batch_of(x, torch.ones(3, dtype=torch.int64), classes=2)
    run(build("fgsm_ckpt", {"judged_at": judged_at}), model, batch, eps=0.2, classes=2)
    torch.testing.assert_close(model.seen[-1], x)


def test_ckpt_looks_at_its_points_in_eval_mode(batch):
    model = watched(batch_norm=True)
    run(build("fgsm_ckpt"), model, batch)
    assert model.modes == [True, False, True]
    assert model.training


def test_the_first_wrong_point():
    wrong = torch.tensor([[False, True, False], [True, True, False]])
    assert first_wrong(wrong).tolist() == [1, 0, 2]


def test_plain_is_cross_entropy_at_the_image(batch):
    model = watched()
    loss = run(build("plain"), model, batch)
    expected = functional.cross_entropy(model.inside(batch.x), batch.y)
    torch.testing.assert_close(loss.value, expected)


@pytest.mark.parametrize("name", ["plain", "fgsm", "fgsm_rs", "n_fgsm", "zero_grad", "multi_grad", "fgsm_ckpt"])
def test_the_loss_is_taken_at_the_last_point_with_its_counts(batch, name):
    model = watched()
    loss = run(build(name), model, batch)
    logits = model.inside(model.seen[-1])
    torch.testing.assert_close(loss.value, functional.cross_entropy(logits, batch.target))
    assert loss.right_adv == (logits.argmax(1) == batch.y).sum()
    reference = model.inside(model.seen[0] if name != "multi_grad" else model.seen[2])
    assert loss.right_reference == (reference.argmax(1) == batch.y).sum()


COUNTED = ["plain", "fgsm", "fgsm_rs", "n_fgsm", "zero_grad", "multi_grad", "fgsm_ckpt", "pgd_at", "trades", "free"]


@pytest.mark.parametrize("name", COUNTED)
def test_the_declared_cost_is_what_is_spent(batch, name):
    model, method = watched(batch_norm=True), build(name)
    run(method, model, batch)
    forwards = sum(len(x) for x in model.seen)
    assert (forwards + model.backwards) / 2 / len(batch.x) == method.cost


def test_ckpt_judged_at_the_clean_image_says_its_dearer_pass(batch):
    model, method = watched(), build("fgsm_ckpt", {"judged_at": "clean"})
    run(method, model, batch)
    assert (sum(len(x) for x in model.seen) + model.backwards) / 2 / len(batch.x) == method.cost == 3.5
