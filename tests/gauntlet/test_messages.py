import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import binom

from gauntlet.errors import ArgumentError
from gauntlet.messages import Code, match_rate, threshold

CODES = [(30, 10), (30, 15), (31, 16), (32, 14), (32, 8), (64, 22), (100, 58)]


def flipped(message: torch.Tensor, places) -> torch.Tensor:
    """Return the logits of a message whose bits at `places` are wrong."""
    logits = 2 * message - 1
    logits[list(places)] *= -1
    return logits


def test_rates_are_those_of_the_paper_and_of_scipy():
    assert match_rate(25, bits=30) == pytest.approx(1.6e-4, rel=0.02)
    assert match_rate(27, bits=30) == pytest.approx(4.2e-6, rel=0.02)
    assert match_rate(50, bits=64) == pytest.approx(3.5e-6, rel=0.1)
    for matches in range(31):
        assert match_rate(matches, bits=30) == pytest.approx(binom.sf(matches - 1, 30, 0.5), rel=1e-9)


@pytest.mark.parametrize("rate", [0.1, 1e-3, 1e-6])
@pytest.mark.parametrize("trials", [1, 100])
def test_threshold_is_the_least_that_keeps_the_rate(rate: float, trials: int):
    least = threshold(bits=40, false_positive_rate=rate, trials=trials)
    assert trials * match_rate(least, bits=40) <= rate < trials * match_rate(least - 1, bits=40)


def test_a_rate_below_one_word_is_refused():
    with pytest.raises(ArgumentError, match="longer messages"):
        threshold(bits=10, false_positive_rate=1e-6)


@pytest.mark.parametrize(("bits", "payload"), CODES)
def test_any_errors_within_reach_are_corrected(bits: int, payload: int):
    code = Code(bits, payload, false_positive_rate=0.5)
    random = np.random.default_rng(0)
    for id in (0, 1, 2**payload - 1, *random.integers(0, 2**payload, 5)):
        message = code.encode(int(id))
        assert message.shape == (bits,)
        for wrong in range(code.corrections + 1):
            found = code.decode(flipped(message, random.choice(bits, wrong, replace=False)))
            assert (found.found, found.id, found.corrected) == (True, id, wrong)
            assert found.matches == bits - wrong


def test_words_of_two_ids_lie_further_apart_than_twice_the_reach():
    code = Code(30, 10, false_positive_rate=0.5)
    words = code.messages(range(1024))
    distances = (words[:, None] != words[None]).sum(2) + 30 * torch.eye(1024)
    assert distances.min() >= 2 * code.corrects + 1


def test_share_of_words_that_are_called_found_is_exact():
    code = Code(16, 6, false_positive_rate=0.9)
    words = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=16)))[::3]
    found = sum(code.decode(word).found for word in words)
    assert found / len(words) == pytest.approx(code.blind_rate, rel=0.03)
    assert code.blind_rate == sum(math.comb(16, wrong) for wrong in range(code.corrections + 1)) / 2**10


def test_bound_on_false_positives_limits_the_corrections():
    loose, strict = Code(30, 15, false_positive_rate=0.5), Code(30, 15, false_positive_rate=1e-3)
    assert (loose.corrections, strict.corrections) == (3, 1)
    assert strict.blind_rate <= 1e-3
    assert not strict.decode(flipped(strict.encode(5), [0, 9])).found


def test_check_of_a_claimed_id_reaches_beyond_the_code():
    code = Code(30, 10)
    worn = flipped(code.encode(77), range(4))
    assert not code.decode(worn).found
    held = code.check(worn, 77)
    assert (held.found, held.matches) == (True, 26)
    assert held.false_positive_rate <= 1e-3
    assert not code.check(worn, 78).found


def test_another_key_reads_nothing_of_it():
    message = Code(64, 22).encode(9)
    assert not Code(64, 22, key=1).decode(2 * message - 1).found
    assert len({tuple(Code(30, 10, key=key).encode(0).tolist()) for key in range(9)}) == 9


def test_equal_bits_are_no_id():
    assert not Code(30, 10).decode(torch.ones(30)).found
    assert not Code(30, 10).decode(-torch.ones(30)).found


@pytest.mark.parametrize("id", [-1, 1024])
def test_an_id_must_fit(id: int):
    with pytest.raises(ArgumentError, match=r"id must lie in \[0, 1024\)"):
        Code(30, 10).encode(id)


@pytest.mark.parametrize("shape", [(29,), (31,), (1, 30)])
def test_logits_of_another_length_are_refused(shape: tuple[int, ...]):
    with pytest.raises(ArgumentError, match="logits must have 30 bits"):
        Code(30, 10).decode(torch.ones(shape))


def test_an_id_in_digits():
    assert Code(30, 10).parse("04d") == 77
    for text in ("4d", "004d", "xyz", "400", "-4d", "+4d", "4_d", " 4d", ""):
        with pytest.raises(ArgumentError, match=r"must be 3 hexadecimal digits below 400 \(10 bits\)"):
            Code(30, 10).parse(text)


def test_lengths_that_no_code_has_are_refused_with_those_that_have():
    with pytest.raises(ArgumentError, match=r"payload must be one of 2, 3, 6, .* got 30"):
        Code(30, 30)
    with pytest.raises(ArgumentError, match="must be one of none"):
        Code(4, 2)


def test_a_bound_that_no_correction_keeps_is_refused():
    with pytest.raises(ArgumentError, match="a smaller payload"):
        Code(30, 24, false_positive_rate=1e-3)
    with pytest.raises(ArgumentError, match=r"must lie in \(0, 1\)"):
        Code(30, 10, false_positive_rate=1.0)
