import pytest

from gauntlet.errors import ArgumentError
from gauntlet.training.iap_face.curriculum import Balance, Curriculum


def test_the_disruption_is_ramped_from_the_message_on():
    curriculum = Curriculum(message=0.2, full=0.6, distortions=0.5)
    assert [curriculum.disruption(done) for done in (0, 0.19, 0.2, 0.6, 1)] == [0, 0, 0, 1, 1]
    assert curriculum.disruption(0.4) == pytest.approx(0.5)
    assert [curriculum.distorts(done) for done in (0.49, 0.5)] == [False, True]


def test_without_a_ramp_it_begins_at_once():
    assert Curriculum(0, 0, 0).disruption(0) == 1


@pytest.mark.parametrize("shares", [(0.5, 0.4, 0), (-0.1, 0.4, 0), (0, 1.1, 0), (0, 1, 2)])
def test_shares_out_of_order_are_refused(shares):
    with pytest.raises(ArgumentError, match="shares of the run"):
        Curriculum(*shares)


def test_the_least_disrupted_weighs_most_and_the_mean_is_one():
    balance = Balance(["a", "b"], decay=0.5)
    assert balance.weight("a") == balance.weight("b") == 1
    balance.add("a", 1.0)
    assert balance.success["a"] == 0.5
    assert balance.weight("b") > 1 > balance.weight("a")
    assert (balance.weight("a") + balance.weight("b")) / 2 == pytest.approx(1)


def test_a_balance_is_taken_up():
    balance, other = Balance(["a", "b"]), Balance(["a", "b"])
    balance.add("a", 1.0)
    other.load(balance.state())
    assert other.weight("a") == balance.weight("a")
