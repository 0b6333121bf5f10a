"""Detectors: their convention, what they learn, and that a resumed run keeps every bit."""

import numpy as np
import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.detection import DETECTORS
from gauntlet.training.detection import Target, augment, train_detector
from gauntlet.training.state import TrainingState, lend, start

SIDE_PX = 64


@pytest.fixture(autouse=True)
def one_thread():
    """As at the stage door; two threads wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def squares(count: int = 8) -> tuple[list[torch.Tensor], list[Target]]:
    """Draw images with one square each, its class by its colour."""
    generator = torch.Generator().manual_seed(0)
    images, targets = [], []
    for index in range(count):
        image = torch.randint(60, 120, (3, SIDE_PX, SIDE_PX), generator=generator, dtype=torch.uint8)
        x, y = torch.randint(2, 36, (2,), generator=generator).tolist()
        image[:, y : y + 24, x : x + 24] = 20
        image[index % 3, y : y + 24, x : x + 24] = 250
        images.append(image)
        targets.append(Target(torch.tensor([[x, y, x + 24.0, y + 24.0]]), torch.tensor([1 + index % 3])))
    return images, targets


def fresh(name: str, *, epochs: int, lr: float = 2e-3) -> TrainingState:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = DETECTORS[name](classes=3, size_px=SIDE_PX, width=8)
    generator = torch.Generator().manual_seed(1)
    return start(network, lr=lr, weight_decay=1e-4, batches=2, epochs=epochs, generator=generator)


def train(state: TrainingState, *, epochs: int):
    images, targets = squares()
    return train_detector(state, images, targets, epochs=epochs, batch=4, device="cpu")


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_learns_and_keeps_torchvisions_convention(name):
    state = fresh(name, epochs=10)
    records = list(train(state, epochs=10))
    assert [record["epoch"] for record in records] == list(range(1, 11))
    assert records[-1]["loss"] < 0.75 * records[0]["loss"]
    assert np.isfinite([record["loss"] for record in records]).all()
    with torch.inference_mode():
        wide = torch.rand(3, 48, 80, generator=torch.Generator().manual_seed(0))
        found = state.model.eval()([image / 255 for image in squares()[0]] + [wide])
    assert len(found) == 9
    for each, (height, width) in zip(found, [(SIDE_PX, SIDE_PX)] * 8 + [(48, 80)], strict=True):
        assert set(each) == {"boxes", "labels", "scores"}
        assert ((each["labels"] >= 1) & (each["labels"] <= 3)).all()
        assert ((each["scores"] >= 0) & (each["scores"] <= 1)).all()
        x0, y0, x1, y1 = each["boxes"].T
        assert ((x0 >= 0) & (y0 >= 0) & (x1 <= width) & (y1 <= height) & (x0 <= x1) & (y0 <= y1)).all()


@pytest.mark.parametrize("name", DETECTORS)
def test_a_resumed_run_keeps_every_bit(name, tmp_path):
    whole = fresh(name, epochs=3)
    losses = [record["loss"] for record in train(whole, epochs=3)]
    cut = fresh(name, epochs=3)
    run = train(cut, epochs=3)
    first = next(run)["loss"]
    torch.save(cut.state_dict(), tmp_path / "state.pt")
    next(run)  # lost
    torch.rand(7)  # another process has another global generator
    resumed = fresh(name, epochs=3)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [first, *(record["loss"] for record in train(resumed, epochs=3))] == losses
    for key, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[key]), key
    assert list(train(resumed, epochs=3)) == []


def test_images_without_objects_are_background():
    for name in DETECTORS:
        state = fresh(name, epochs=1)
        images, targets = squares(4)
        targets[1] = Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
        (record,) = train_detector(state, images, targets, epochs=1, batch=4, device="cpu")
        assert np.isfinite(record["loss"])


def test_a_diverging_run_is_named():
    state = fresh("fcos", epochs=1)
    next(state.model.parameters()).data[:] = float("nan")
    with pytest.raises(ArgumentError, match=r"the loss must stay finite; got nan in epoch 1; is lr too high"):
        list(train(state, epochs=1))


def test_augmentation_keeps_boxes_on_their_objects():
    image, target = (each[0] for each in squares(1))
    generator = torch.Generator().manual_seed(0)
    flipped = 0
    for _ in range(20):
        made, truth = augment(image / 255, target, generator=generator)
        assert made.shape == image.shape
        assert made.min() >= 0
        assert made.max() <= 1
        x0, y0, x1, y1 = truth.boxes_xyxy[0].int().tolist()
        inside = made[:, y0:y1, x0:x1]
        assert inside.std(dim=(1, 2)).max() < 1e-4  # the square is all one colour, and all of the box
        flipped += x0 != int(target.boxes_xyxy[0, 0])
        assert torch.equal(truth.labels, target.labels)
    assert 4 <= flipped <= 16


def test_lending_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    drawn = []
    for _ in range(2):
        generator = torch.Generator().manual_seed(3)
        with lend(generator, device="cpu"):
            drawn.append(torch.rand(4))
        with lend(generator, device="cpu"):
            drawn.append(torch.rand(4))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn[0], drawn[2])
    assert torch.equal(drawn[1], drawn[3])
    assert not torch.equal(drawn[0], drawn[1])


def test_weight_decay_spares_biases_and_norms():
    state = fresh("fcos", epochs=2)
    decayed, plain = state.optimizer.param_groups
    assert decayed["weight_decay"] > 0 == plain["weight_decay"]
    assert all(parameter.ndim > 1 for parameter in decayed["params"])
    count = len(decayed["params"]) + len(plain["params"])
    assert count == sum(parameter.requires_grad for parameter in state.model.parameters())
