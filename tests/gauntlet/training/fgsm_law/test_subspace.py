"""Sub-AT: the subspace, the projection, and the way back to the first weights."""

import numpy as np
import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.training.fgsm_law.one_step import FgsmRs
from gauntlet.training.fgsm_law.subspace import SubAt, flat, principal_directions
from tests.fixtures.minibatch import batch, begun, generator, network


def test_principal_directions_of_a_known_ellipse():
    """Rows vary by 3 along (1, 1) / sqrt 2 and by 1 along (1, -1) / sqrt 2, about (5, 7)."""
    rows = torch.tensor([[3.0, 3.0], [-3.0, -3.0], [1.0, -1.0], [-1.0, 1.0]]) + torch.tensor([5.0, 7.0])
    first, second = principal_directions(rows, 2)
    assert abs(first @ torch.tensor([1.0, 1.0])).item() == pytest.approx(2**0.5, rel=1e-5)
    assert abs(second @ torch.tensor([1.0, -1.0])).item() == pytest.approx(2**0.5, rel=1e-5)


def test_principal_directions_against_the_covariance():
    rows = torch.randn(6, 20, generator=generator())
    found = principal_directions(rows, 3).double().numpy()
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-5)
    values, vectors = np.linalg.eigh(np.cov(rows.double().numpy().T))
    leading = vectors[:, ::-1][:, :3].T
    np.testing.assert_allclose(found.T @ found, leading.T @ leading, atol=1e-5)
    assert (np.diff(values) >= -1e-9).all()


def trained(method, model, *, epochs: int, begin: int = 0) -> list[torch.Tensor]:
    """Run plain SGD as the loop does; return the weights after each epoch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    weights = []
    for epoch in range(begin, epochs):
        for step in range(3 * epoch, 3 * epoch + 3):
            optimizer.zero_grad()
            method.loss(model, batch(step=step, first=8 * (step % 3)), generator(step)).value.backward()
            method.after_backward(model)
            optimizer.step()
        method.after_epoch(model, epoch + 1)
        weights.append(flat(model.parameters()))
    return weights


def test_phase_two_starts_over_and_stays_in_the_span_of_phase_one():
    model, plain = network(), network()
    begin = {name: value.clone() for name, value in model.state_dict().items()}
    method = begun(SubAt(phase_one_epochs=0.4), model)
    after = trained(method, model, epochs=3)
    twin = [flat(plain.parameters()), *trained(begun(FgsmRs(), plain), plain, epochs=4)]
    for found, expected in zip(after, twin[1:], strict=False):
        assert torch.equal(found, expected)  # phase 1 is Fast AT
    trained(method, model, epochs=4, begin=3)
    assert all(torch.equal(value, begin[name]) for name, value in model.state_dict().items())

    moved = (trained(method, model, epochs=7, begin=4)[-1] - twin[0]).double()
    span = (torch.stack(twin[:5]) - torch.stack(twin[:5]).mean(0)).double()
    inside = span.T @ torch.linalg.lstsq(span.T, moved[:, None]).solution
    assert moved.norm() > 0.01
    assert (inside[:, 0] - moved).norm() < 1e-4 * moved.norm()


def test_the_projection_by_the_formula():
    model = network()
    method = begun(SubAt(phase_one_epochs=0.2, gain=2.0), model)
    trained(method, model, epochs=2)
    basis = method.state()["basis"]
    assert basis.shape == (2, sum(weight.numel() for weight in model.parameters()))
    method.loss(model, batch(), generator()).value.backward()
    before = flat(weight.grad for weight in model.parameters())
    method.after_backward(model)
    once = flat(weight.grad for weight in model.parameters())
    torch.testing.assert_close(once, 2 * basis.T @ (basis @ before))
    method.after_backward(model)
    torch.testing.assert_close(flat(weight.grad for weight in model.parameters()), 2 * once, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("cut", [2, 3, 4])
def test_a_resumed_run_goes_on_alike(cut, tmp_path):
    model = network()
    method = begun(SubAt(phase_one_epochs=0.3), model)
    trained(method, model, epochs=cut)
    torch.save({"model": model.state_dict(), "method": method.state()}, tmp_path / "state.pt")
    expected = trained(method, model, epochs=6, begin=cut)[-1]
    saved = torch.load(tmp_path / "state.pt", weights_only=True)
    other = network(seed=5)
    resumed = begun(SubAt(phase_one_epochs=0.3), other)
    other.load_state_dict(saved["model"])
    resumed.load(saved["method"])
    assert torch.equal(trained(resumed, other, epochs=6, begin=cut)[-1], expected)


@pytest.mark.parametrize("wrong", [{"phase_one_epochs": 1.0}, {"components": 8}, {"components": 0}])
def test_a_phase_that_cannot_be_is_named(wrong):
    with pytest.raises(ArgumentError, match=f"^{next(iter(wrong))} must lie in"):
        begun(SubAt(**wrong), network())
