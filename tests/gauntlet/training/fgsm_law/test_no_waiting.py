"""No step of any method asks a tensor for its value: on a GPU the loop would wait for it."""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gauntlet.training.augmentation import BatchAugmentation
from gauntlet.training.fgsm_law import METHODS, build
from gauntlet.training.fgsm_law.averaging import Awa
from gauntlet.training.fgsm_law.images import TensorData
from gauntlet.training.fgsm_law.loop import Speed, begin, train
from gauntlet.training.fgsm_law.method import Setting
from gauntlet.training.state import start_sgd
from tests.fixtures.minibatch import network

BATCH = 4


class Waits(TorchDispatchMode):
    """Counts what would wait for a GPU: values read, and shapes that depend on values."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "aminmax"}:
            self.seen[name] += 1
        if name in {"index", "index_put", "index_put_"}:
            masks = [index for index in args[1] if index is not None and index.dtype in (torch.bool, torch.uint8)]
            self.seen["mask"] += len(masks)
        return func(*args, **(kwargs or {}))


def waits(name: str, *, steps: int, how: BatchAugmentation) -> Counter:
    draw = torch.Generator().manual_seed(0)
    images = steps * BATCH
    x = torch.randint(256, (images, 3, 8, 8), generator=draw, dtype=torch.uint8)
    data = TensorData(x, torch.arange(images) % 4)
    method, model = build(name), network()
    classes = model(x[:1] / 255).shape[1]
    setting = Setting(8 / 255, classes, images, (3, 8, 8), 2, steps, "cpu")
    state = start_sgd(model, lr=0.01, weight_decay=0, schedule="cyclic", turns=(0.4,), steps=200, generator=draw)
    begin(state, method, Awa(), setting=setting, speed=Speed("bfloat16"))
    with Waits() as found:
        next(train(state, data, setting=setting, batch=BATCH, how=how, speed=Speed("bfloat16"), clip_norm=1.0))
    return found.seen


@pytest.mark.parametrize("name", METHODS)
def test_a_step_reads_no_value(name):
    """What an epoch reads once, at its end, drops out of the difference of two lengths.

    torch's one_hot looks at the ends of the classes' range on the CPU alone.
    """
    how = BatchAugmentation(crop_px=1, mirror=True, cutout_px=2)
    short, long = waits(name, steps=2, how=how), waits(name, steps=5, how=how)
    more = {kind: long[kind] - short[kind] for kind in long if long[kind] != short[kind]}
    assert more == {"aminmax": 3, "_local_scalar_dense": 2 * 3}


@pytest.mark.parametrize("how", [BatchAugmentation(mixup=1.0), BatchAugmentation(cutmix=1.0)])
def test_a_mixed_step_reads_what_it_drew_on_the_cpu(how):
    """Three numbers a step: whether to mix, how, and numpy's seed."""
    short, long = waits("fgsm_law", steps=2, how=how), waits("fgsm_law", steps=5, how=how)
    assert long["_local_scalar_dense"] - short["_local_scalar_dense"] == (2 + 3) * 3


def test_a_value_that_is_read_is_seen():
    with Waits() as found:
        x = torch.arange(3.0)
        bool(x.sum() > 0), x[x > 1], x.nonzero()
    assert found.seen["_local_scalar_dense"] == 1
    assert found.seen["mask"] == 1
    assert found.seen["nonzero"] >= 1
