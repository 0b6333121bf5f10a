"""Device, threads and workers."""

import os
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

from gauntlet.errors import ArgumentError, DataError, RetryableError
from stages.machine import machine, parallel
from tests.stages.conftest import ROOT

THREADS = """
from stages.machine import limit_threads, thread_count
limit_threads(thread_count())
import cv2, torch
print(torch.get_num_threads(), cv2.getNumThreads())
"""


@pytest.fixture
def environment(monkeypatch):
    machine.cache_clear()
    yield monkeypatch.setenv
    machine.cache_clear()


def test_threads_are_fixed_in_every_library():
    env = os.environ | {"GAUNTLET_THREADS": "2", "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-c", THREADS], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["2", "2"]


@pytest.mark.parametrize("wish", ["gpu", "cuda:x", "cudax", "cuda:", "cuda:99", ""])
def test_wrong_devices(environment, wish):
    environment("GAUNTLET_DEVICE", wish)
    with pytest.raises(ArgumentError, match="GAUNTLET_DEVICE"):
        machine()


@pytest.mark.parametrize("name", ["GAUNTLET_THREADS", "GAUNTLET_WORKERS"])
@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", ""])
def test_wrong_counts(environment, name, text):
    environment(name, text)
    with pytest.raises(ArgumentError, match=f"{name} must be a whole number of at least 1"):
        machine()


def test_choices(environment):
    environment("GAUNTLET_DEVICE", "cpu")
    environment("GAUNTLET_WORKERS", "3")
    assert (machine().device, machine().threads, machine().workers) == ("cpu", 1, 3)
    machine.cache_clear()
    environment("GAUNTLET_DEVICE", "auto")
    assert machine().device in ("cpu", "cuda")


def draw(index, *, seed):
    return np.random.default_rng([seed, index]).random(3)


def fail(index):
    if index == 3:
        raise DataError("record 3 is bad")
    return index


def fail_or_wait(index):
    if index == 0:
        raise DataError("record 0 is bad")
    time.sleep(0.2)


def die(index):
    if index == 3:
        os._exit(9)


def test_workers_do_not_change_a_bit():
    runs = [parallel(partial(draw, seed=5), range(50), workers=workers) for workers in (1, 2)]
    np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_worker_comes_through(workers):
    with pytest.raises(DataError, match="record 3 is bad"):
        parallel(fail, range(8), workers=workers)


def test_an_error_does_not_wait_for_the_rest():
    begin = time.monotonic()
    with pytest.raises(DataError):
        parallel(fail_or_wait, range(200), workers=2)
    assert time.monotonic() - begin < 3


def test_a_killed_worker_is_named():
    with pytest.raises(RetryableError, match="one of 2 at the pictures was killed; out of memory"):
        parallel(die, range(8), workers=2, what="pictures")


def test_nothing_to_do():
    assert parallel(fail, []) == []
