import io
import math

import pytest
import torch
from torch import nn

from gauntlet.training.selection import Best


def network(weight: float) -> nn.Module:
    layer = nn.BatchNorm1d(1)
    nn.init.constant_(layer.weight, weight)
    layer.running_mean += 10 * weight
    return layer


def offered(values, best=None, *, first=1):
    best = best or Best()
    for epoch, value in enumerate(values, start=first):
        best.offer(network(epoch), value, epoch=epoch)
    return best


@pytest.mark.parametrize(
    ("values", "epoch"),
    [([0.1, 0.3, 0.2], 2), ([0.3, 0.2], 1), ([0.2, 0.3, 0.3], 3), ([0.0, 0.0], 2), ([0.1, math.nan, 0.2, math.nan], 3)],
    ids=["a peak", "the first", "the later of equals", "nothing but zeros", "NaN is no number"],
)
def test_the_highest_is_kept_with_its_weights_and_buffers(values, epoch):
    best = offered(values)
    assert (best.epoch, best.value) == (epoch, values[epoch - 1])
    assert best.weights["weight"].item() == epoch
    assert best.weights["running_mean"].item() == 10 * epoch


def test_before_the_first_there_is_nothing():
    best = Best()
    assert (best.epoch, best.value, best.weights) == (0, -math.inf, {})


def test_the_kept_weights_do_not_move_with_the_model():
    model, best = network(1), Best()
    best.offer(model, 0.5, epoch=1)
    with torch.no_grad():
        model.weight += 1
        model.running_mean += 1
    assert (best.weights["weight"].item(), best.weights["running_mean"].item()) == (1, 10)
    assert not best.weights["weight"].requires_grad


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_interrupted_and_taken_up_again_it_keeps_the_same(cut):
    values = [0.1, 0.4, 0.2, 0.4]
    file = io.BytesIO()
    torch.save(offered(values[:cut]).state(), file)
    file.seek(0)
    resumed = Best()
    resumed.load(torch.load(file, weights_only=True))
    assert offered(values[cut:], resumed, first=cut + 1).state() == offered(values).state()
