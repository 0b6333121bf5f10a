"""The whole suite computes with one thread, as the stages do; and what several packages of tests share."""

import signal

import pytest
import torch

torch.set_num_threads(1)


def pytest_make_parametrize_id(val):
    """Name a function in a test's id by its name: its address differs between the processes that share the tests."""
    return getattr(val, "__name__", None) if callable(val) else None


@pytest.fixture
def heard():
    """Let children hear SIGINT, which a shell's background jobs, and their children, ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
