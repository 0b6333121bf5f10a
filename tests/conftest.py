"""The whole suite computes with one thread, as the stages do; and what several packages of tests share."""

import signal

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def heard():
    """Let children hear SIGINT, which a shell's background jobs, and their children, ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
