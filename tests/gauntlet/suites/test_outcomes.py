import numpy as np

from gauntlet.suites import Outcomes
from gauntlet.suites.outcomes import merged

ONE = Outcomes({"clean": np.array([True, False])}, {"": ["flat"]})
TWO = Outcomes({"steps/1": np.array([False, False]), "low_pass/3": np.array([True, True])}, {"jpeg": ["zero"]})


def test_several_become_one_in_their_order():
    found = merged([ONE, TWO])
    assert list(found.values) == ["clean", "steps/1", "low_pass/3"]
    assert all(np.array_equal(found.values[key], part.values[key]) for part in (ONE, TWO) for key in part.values)
    assert found.problems == {"": ["flat"], "jpeg": ["zero"]}


def test_the_parts_stay_as_they_were():
    merged([ONE, TWO])
    assert (list(ONE.values), list(ONE.problems)) == (["clean"], [""])


def test_the_later_of_two_wins():
    again = Outcomes({"clean": np.array([False, False])}, {"": []})
    found = merged([ONE, again])
    assert found.values["clean"].tolist() == [False, False]
    assert found.problems == {"": []}


def test_of_nothing_there_is_nothing():
    assert merged([]) == Outcomes({}, {})
