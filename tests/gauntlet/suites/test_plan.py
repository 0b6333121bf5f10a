import pytest

from gauntlet.errors import ArgumentError
from gauntlet.suites import Plan


def test_the_default_is_the_benchmarks_own():
    plan = Plan()
    assert plan.eps == 8 / 255
    assert {norm: (len(budgets), budgets[0], budgets[-1]) for norm, budgets in plan.budgets.items()} == {
        "linf": (32, 1 / 255, 32 / 255),
        "l2": (32, 1 / 8, 4.0),
    }
    assert len(plan.corruptions) == 15


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"eps": 8}, r"eps must lie in \(0, 1\] \(8/255, not 8\); got 8"),
        ({"eps": 0}, r"eps must lie in \(0, 1\] .*; got 0"),
        ({"eps": -0.1}, r"eps must lie in \(0, 1\] .*; got -0.1"),
        ({"eps": float("nan")}, r"eps must lie in \(0, 1\] .*; got nan"),
        ({"budgets": {"linff": (0.1,)}}, "budgets must be among linf, l2, l1; got 'linff'; misspelt?"),
        ({"attacks": {"pdg": {}}}, "attacks must be among fgsm, .*; got 'pdg'; misspelt?"),
        ({"transfer": {"mmi": {}}}, "attacks must be among fgsm, .*; got 'mmi'; misspelt?"),
        ({"corruptions": ("fog", "smoke")}, "corruptions must be among gaussian_noise, .*; got 'smoke'; misspelt?"),
        ({"defences": {"jpg": {}}}, "defences must be among bit_depth, jpeg, randomisation; got 'jpg'; misspelt?"),
        ({"step_counts": (1, 5, 2)}, r"step_counts must rise; got \(1, 5, 2\)"),
        ({"step_counts": (1, 1)}, r"step_counts must rise; got \(1, 1\)"),
    ],
)
def test_what_cannot_be_tried_is_one_line(change, line):
    with pytest.raises(ArgumentError, match=line) as caught:
        Plan(**change)
    assert "\n" not in str(caught.value)


def test_nothing_may_be_tried_at_all():
    plan = Plan(budgets={}, step_counts=(), attacks={}, transfer={}, low_pass=(), corruptions=(), defences={})
    assert plan.step_counts == ()
