import math

import pytest

from gauntlet.bigrams import arpa
from gauntlet.errors import ArgumentError


def parsed(text: str) -> tuple[dict, dict, dict]:
    """Return the chances of words and pairs, and the weights of what was not seen after a word."""
    single, rest, pairs = {}, {}, {}
    for line in text.splitlines():
        parts = line.split("\t")
        if len(parts) > 1 and " " in parts[1]:
            pairs[tuple(parts[1].split())] = 10 ** float(parts[0])
        elif len(parts) > 1:
            single[parts[1]] = 10 ** float(parts[0])
            if len(parts) > 2:
                rest[parts[1]] = 10 ** float(parts[2])
    return single, pairs, rest


def test_every_distribution_sums_to_one():
    single, pairs, rest = parsed(arpa(["press one", "press two now", "one one press"]))
    words = [word for word in single if word != "<s>"]
    assert math.isclose(sum(single[word] for word in words), 1, abs_tol=1e-4)
    for first, weight in rest.items():
        total = sum(pairs.get((first, word), weight * single[word]) for word in words)
        assert math.isclose(total, 1, abs_tol=1e-4)


def test_a_pair_by_hand():
    """Two sentences "a": after <s> always a; a and </s> count 2 + 1 each of 6."""
    single, pairs, rest = parsed(arpa(["a", "a"], discount=0.5))
    assert math.isclose(single["a"], 0.5, rel_tol=1e-4)
    assert math.isclose(rest["<s>"], 0.25, rel_tol=1e-4)
    assert math.isclose(pairs["<s>", "a"], 0.75 + 0.25 * 0.5, rel_tol=1e-4)


def test_order_of_the_sentences_changes_nothing():
    assert arpa(["b a", "a c"]) == arpa(["a c", "b a"])


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="at least one word"):
        arpa(["", " "])
    with pytest.raises(ArgumentError, match="discount must lie in"):
        arpa(["a"], discount=1)
