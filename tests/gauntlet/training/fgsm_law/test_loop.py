import copy
import math

import pytest
import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.training.augmentation import BatchAugmentation
from gauntlet.training.fgsm_law import METHODS, build
from gauntlet.training.fgsm_law.averaging import Awa, Ema, NoAveraging
from gauntlet.training.fgsm_law.images import StreamData, TensorData
from gauntlet.training.fgsm_law.loop import Speed, begin, quickened, steps_per_epoch, train
from gauntlet.training.fgsm_law.method import Setting
from gauntlet.training.state import TrainingState, start_sgd

IMAGES, BATCH, CLASSES = 22, 8, 3
ALL = BatchAugmentation(crop_px=1, mirror=True, cutout_px=2, mixup=0.8, cutmix=1.0)


class Network(nn.Module):
    """A little of everything that has a state: batch statistics and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.GELU(), nn.Dropout(0.2), nn.Flatten())
        self.head = nn.Linear(4 * 9, CLASSES)

    def embed(self, x: Tensor) -> Tensor:
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embed(x))


def data(*, images: int = IMAGES) -> TensorData:
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(images) % CLASSES
    x = torch.randint(60, (images, 3, 8, 8), generator=draw) + 90 * y[:, None, None, None]
    return TensorData(x.to(torch.uint8), y)


def fresh(name: str, averaging: NoAveraging, *, epochs: int, speed: Speed | None = None, lr: float = 0.05):
    torch.manual_seed(0)
    steps = steps_per_epoch(IMAGES, BATCH)
    setting = Setting(8 / 255, CLASSES, IMAGES, (3, 8, 8), epochs, steps, "cpu")
    method = build(name)
    state = start_sgd(
        Network(),
        lr=lr,
        weight_decay=5e-4,
        schedule="cyclic",
        turns=(0.4,),
        steps=epochs * steps * method.replays,
        generator=torch.Generator().manual_seed(1),
    )
    begin(state, method, averaging, setting=setting, speed=speed)
    return state, setting


def run(state: TrainingState, setting: Setting, *, speed: Speed | None = None, **options):
    return train(state, data(), setting=setting, batch=BATCH, how=options.pop("how", ALL), speed=speed, **options)


def same(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_that_is_killed_and_resumed_ends_with_the_same_bits(name, tmp_path):
    straight, setting = fresh(name, Awa(tau=math.inf), epochs=3)
    records = list(run(straight, setting))

    killed, setting = fresh(name, Awa(tau=math.inf), epochs=3)
    loop = run(killed, setting)
    before = next(loop)
    torch.save(killed.state_dict(), tmp_path / "checkpoint.pt")
    next(loop)  # work that is lost

    torch.manual_seed(99)
    resumed, setting = fresh(name, Awa(tau=math.inf), epochs=3)
    resumed.load_state_dict(torch.load(tmp_path / "checkpoint.pt", weights_only=True))
    torch.manual_seed(98)
    assert [before, *run(resumed, setting)] == records
    assert same(resumed.model.state_dict(), straight.model.state_dict())
    assert same(resumed.extra["averaging"].shadow.state_dict(), straight.extra["averaging"].shadow.state_dict())
    assert torch.equal(resumed.generator.get_state(), straight.generator.get_state())


@pytest.mark.parametrize("name", METHODS)
def test_the_global_generator_is_left_alone(name):
    state, setting = fresh(name, NoAveraging(), epochs=1)
    before = torch.get_rng_state()
    list(run(state, setting))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_runs_in_bfloat16_and_trains_all_weights(name):
    speed = Speed("bfloat16", channels_last=True)
    state, setting = fresh(name, Ema(), epochs=2, speed=speed)  # Sub-AT ends its first by going back
    before = copy.deepcopy(dict(state.model.named_parameters()))
    assert all(math.isfinite(record["loss"]) for record in run(state, setting, speed=speed))
    moved = {name: weight for name, weight in state.model.named_parameters() if not torch.equal(weight, before[name])}
    assert moved.keys() == before.keys()
    assert all(weight.dtype == torch.float32 for weight in moved.values())


def test_plain_training_learns():
    state, setting = fresh("plain", NoAveraging(), epochs=12)
    records = list(run(state, setting, how=BatchAugmentation()))
    assert [record["epoch"] for record in records] == list(range(1, 13))
    assert records[-1]["loss"] < 0.5 * records[0]["loss"]
    assert records[-1]["train_top1_adv"] > 0.9


@pytest.mark.parametrize(("name", "passes"), [("plain", 1), ("fgsm_rs", 2), ("pgd_at", 11), ("free", 8)])
def test_passes_an_image(name, passes):
    state, setting = fresh(name, NoAveraging(), epochs=1)
    assert next(run(state, setting))["passes"] == passes


@pytest.mark.parametrize(
    ("images", "batch", "whole", "steps"), [(22, 8, False, 3), (17, 8, False, 2), (22, 8, True, 2)]
)
def test_steps_an_epoch(images, batch, whole, steps):
    assert steps_per_epoch(images, batch, whole=whole) == steps


def test_a_batch_of_one_image_is_never_seen():
    assert steps_per_epoch(17, 8) * 8 == 16
    assert steps_per_epoch(18, 8) == 3


def test_gradients_are_clipped():
    state, setting = fresh("plain", NoAveraging(), epochs=1, lr=1.0)
    state.optimizer.param_groups[0].update(momentum=0.0, weight_decay=0.0)
    before = copy.deepcopy(list(state.model.parameters()))
    list(run(state, setting, clip_norm=1e-6))
    moved = max((new - old).abs().max() for new, old in zip(state.model.parameters(), before, strict=True))
    assert 0 < moved < 1e-5


def test_a_loss_that_is_not_finite_ends_the_run():
    state, setting = fresh("plain", NoAveraging(), epochs=1, lr=1e20)
    with pytest.raises(ArgumentError, match="must stay finite"):
        list(run(state, setting))


def test_the_scheduler_ends_where_it_should():
    state, setting = fresh("free", NoAveraging(), epochs=2)
    list(run(state, setting))
    assert state.optimizer.param_groups[0]["lr"] == pytest.approx(0)


def test_a_run_must_begin():
    state, setting = fresh("plain", NoAveraging(), epochs=1)
    state.extra = {}
    with pytest.raises(ArgumentError, match="must go through `begin`"):
        next(run(state, setting))


@pytest.mark.parametrize("name", ["plain", "pgd_at"])
def test_float16_scales_its_loss_and_takes_the_scale_up_again(name):
    speed = Speed("float16")
    straight, setting = fresh(name, NoAveraging(), epochs=2, speed=speed)
    records = list(run(straight, setting, speed=speed))
    assert all(math.isfinite(record["loss"]) for record in records)
    resumed, setting = fresh(name, NoAveraging(), epochs=2, speed=speed)
    next(run(resumed, setting, speed=speed))
    saved = copy.deepcopy(resumed.state_dict())
    assert saved["extra"]["scaler"]["scale"] > 1
    again, setting = fresh(name, NoAveraging(), epochs=2, speed=speed)
    again.load_state_dict(saved)
    list(run(again, setting, speed=speed))
    assert same(again.model.state_dict(), straight.model.state_dict())


class Pictures(torch.utils.data.Dataset):
    def __init__(self, images: TensorData) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images.y)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        return self.images.x[index], int(self.images.y[index]), index


def test_a_streamed_data_set_trains_to_the_same_bits():
    states = []
    for source in (data(), StreamData(Pictures(data()))):
        state, setting = fresh("fgsm_ep", NoAveraging(), epochs=2)
        state.model.body[3].p = 0.0  # the loader's seed is one draw more of the lent generator
        list(train(state, source, setting=setting, batch=BATCH, how=ALL))
        states.append(state.model.state_dict())
    assert same(*states)


@pytest.mark.parametrize("network", [Network(), nn.Sequential(nn.Flatten(), nn.Linear(192, CLASSES))])
def test_the_compiled_part_serves_the_block_alone(network):
    part, calls = network.embed if hasattr(network, "embed") else network.forward, []

    def compiled(x: Tensor) -> Tensor:
        calls.append(len(x))
        return part(x)

    x = torch.rand(2, 3, 8, 8)
    with quickened(network, compiled):
        network(x)
    network(x)
    assert calls == [2]


def test_bad_data_and_precision_are_named():
    with pytest.raises(ArgumentError, match="must be uint8"):
        TensorData(torch.rand(2, 3, 4, 4), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ArgumentError, match="one of float32, bfloat16"):
        Speed("half")
