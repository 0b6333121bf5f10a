"""Many searches in one batch: the same outcome as one after the other, full batches, no row for what is decided."""

from dataclasses import dataclass

import pytest
import torch

from gauntlet.attacks.noise import Noise
from gauntlet.attacks.slots import Look, Rows, search
from gauntlet.attacks.standing import Standing


@dataclass
class Countdown(Rows):
    until: torch.Tensor


class Scripted:
    """A search whose (image, run) succeeds at a step that is written down; 99 is never."""

    def __init__(self, script: list[list[int]], *, steps: int) -> None:
        self.script, self.steps = torch.tensor(script), steps
        self.sizes: list[int] = []
        self.seen = torch.zeros_like(self.script)

    def begin(self, image: torch.Tensor, run: torch.Tensor) -> Countdown:
        return Countdown(image, run, torch.zeros_like(run), self.script[image, run])

    def advance(self, rows: Countdown) -> Look:
        self.sizes.append(len(rows.image))
        self.seen[rows.image, rows.run] += 1
        rows.step = rows.step + 1
        points = (rows.run + 1.0).reshape(-1, 1, 1, 1)
        return Look(rows.step >= rows.until, rows.step >= self.steps, points)


def images(count: int, *, batch: int) -> Standing:
    x, index = torch.zeros(count, 1, 1, 1), torch.arange(count)
    return Standing(index, x, index, torch.ones(count), torch.zeros(count, 3), Noise.of(x, torch.Generator()), batch)


SCRIPT = [[99, 99, 99], [4, 1, 1], [99, 3, 1], [1, 1, 1], [99, 99, 6], [2, 99, 99]]
LOWEST = [0, 1, 2, 1, 3, 1]


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 8, 18, 100])
def test_the_lowest_run_that_succeeds_wins_whatever_the_batch(batch):
    walk = Scripted(SCRIPT, steps=7)
    found = search(walk, images(6, batch=batch), runs=3)
    assert found.x_adv.flatten().tolist() == LOWEST
    assert found.broken.tolist() == [run > 0 for run in LOWEST]
    assert max(walk.sizes) <= batch
    assert walk.seen[0].tolist() == [7, 7, 7]


def test_one_row_makes_exactly_the_passes_of_one_after_the_other():
    walk = Scripted(SCRIPT, steps=7)
    search(walk, images(6, batch=1), runs=3)
    assert walk.seen.tolist() == [[7, 7, 7], [4, 0, 0], [7, 3, 0], [1, 0, 0], [7, 7, 6], [2, 0, 0]]


def test_few_images_have_all_runs_side_by_side():
    walk = Scripted([[99] * 9] * 3, steps=5)
    search(walk, images(3, batch=27), runs=9)
    assert walk.sizes == [27] * 5


def test_waiting_images_take_the_rows_of_those_that_are_done():
    script = [[1]] * 40 + [[99]] * 4
    walk = Scripted(script[::-1], steps=30)
    search(walk, images(44, batch=8), runs=1)
    assert len(walk.sizes) == 30


def test_no_image():
    found = search(Scripted([[1]], steps=2), images(0, batch=4), runs=3)
    assert found.x_adv.shape == (0, 1, 1, 1)
