"""Synthetic states of which some dimensions tell the label and some the group: what each method leaves of the group."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.perturbation import GENERATORS, Discriminator, Projection
from gauntlet.models.sentence_encoder import SentenceClassifier, States, predictions
from gauntlet.training.fairberts.inlp import inlp
from gauntlet.training.fairberts.loop import train_classifier
from gauntlet.training.fairberts.methods import METHODS, Setting, known_twins
from gauntlet.training.fairberts.rows import Rows, labelled_rows
from gauntlet.training.fairberts.transfer import random_generator, transferred

WIDTH = 8
SETTING = Setting(
    generator="mlp",
    hidden=16,
    weight=5,
    erasure="to_uniform",
    lr_generator=1e-3,
    adversary_lr=3e-3,
    adversary_decay=1.0,
    memory=64,
    labelled=False,
)

PAIRED = replace(SETTING, pairs=20.0, adversary_steps=1, whitened=False, lr_generator=1e-2)


def gaussian(rows: int, *, seed: int, skew: float = 0.5) -> Rows:
    """Draw states: y stands in dimensions 0 and 1, z in 2 and 3, noise everywhere."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(2, (rows,), generator=draw)
    z = torch.where(torch.rand(rows, generator=draw) < skew, y, 1 - y)
    h = 0.5 * torch.randn(rows, WIDTH, generator=draw)
    h[:, :2] += 2.0 * (2 * y - 1)[:, None]
    h[:, 2:4] += 2.0 * (2 * z - 1)[:, None]
    return labelled_rows(States(h[:, None], torch.ones(rows, 1, dtype=torch.bool)), y, z)


def classifier(setting: Setting | None = None) -> SentenceClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = None if setting is None else GENERATORS[setting.generator](WIDTH, hidden=setting.hidden)
        return SentenceClassifier(nn.Identity(), width=WIDTH, generator=generator)


def trained(model: SentenceClassifier, rows: Rows, *, method: str, setting: Setting = SETTING, epochs: int = 10):
    loop = train_classifier(
        model,
        rows,
        method=method,
        setting=setting,
        epochs=epochs,
        batch=64,
        lr=1e-3,
        head_lr=1e-2,
        weight_decay=0.0,
        generator=torch.Generator().manual_seed(0),
    )
    return list(loop)


def probe(states: Tensor, z: Tensor, tested: Tensor, truth: Tensor) -> float:
    """Return the accuracy of a fresh logistic probe."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=300).fit(states.numpy(), z.numpy()).score(tested.numpy(), truth.numpy())


def leaked(model: SentenceClassifier) -> tuple[float, float]:
    """Return label accuracy and the probe's accuracy on fresh rows."""
    fit, test = gaussian(600, seed=5), gaussian(600, seed=6)
    seen = predictions(model, test.states)
    accuracy = ((seen.probabilities > 0.5) == test.y.bool()).float().mean().item()
    return accuracy, probe(predictions(model, fit.states).states, fit.z, seen.states, test.z)


def with_twins(rows: Rows) -> Rows:
    """Add the same states with the group's dimensions turned round."""
    other = rows.states.values.clone()
    other[..., 2:4] *= -1
    return rows._replace(twins=States(other, rows.states.mask))


@pytest.fixture(scope="module")
def erased() -> tuple[SentenceClassifier, list[dict]]:
    model = classifier(PAIRED)
    return model, trained(model, with_twins(gaussian(1500, seed=1)), method="fairberts", setting=PAIRED, epochs=4)


def test_fairberts_erases_the_group_and_keeps_the_label(erased):
    assert leaked(classifier(PAIRED))[1] >= 0.99
    accuracy, leakage = leaked(erased[0])
    assert accuracy >= 0.95
    assert leakage <= 0.55


def test_discriminators_are_left_at_the_majority_rate(erased):
    model, history = erased
    # log 2 is the loss of one that knows nothing.
    assert history[-1]["adversary_loss"] == pytest.approx(math.log(2), abs=0.05)
    fit, test = gaussian(600, seed=5), gaussian(600, seed=6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fresh = Discriminator(WIDTH)
        states, optimizer = predictions(model, fit.states).states, torch.optim.Adam(fresh.parameters(), lr=1e-2)
        for _ in range(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(fresh(states, fit.y), fit.z).backward()
            optimizer.step()
    with torch.no_grad():
        guess = fresh.eval()(predictions(model, test.states).states, test.y).argmax(1)
    majority = max((test.z == group).float().mean().item() for group in (0, 1))
    assert (guess == test.z).float().mean().item() <= majority + 0.05


def test_a_random_generator_does_not_help(erased):
    model, states = erased[0], gaussian(200, seed=7).states
    draw = torch.Generator().manual_seed(0)
    bare = classifier()
    patched = transferred(bare, random_generator(bare, model.generator, states, draw=draw))
    assert leaked(patched)[1] >= 0.95
    assert leaked(transferred(bare, model.generator))[1] <= 0.55


def test_without_twins_discriminators_alone_erase_less():
    setting = replace(SETTING, lr_generator=3e-3, adversary_lr=1e-2, memory=1500, whitened=True)
    model = classifier(setting)
    trained(model, gaussian(1500, seed=1), method="fairberts", setting=setting, epochs=12)
    accuracy, leakage = leaked(model)
    assert accuracy >= 0.95
    # From 0.99 and more; the paper's losses alone do not bring it to the sheet's 0.55 here.
    assert leakage <= 0.9


def test_with_shuffled_groups_nothing_is_erased():
    rows, model = gaussian(1500, seed=1), classifier(SETTING)
    order = torch.randperm(1500, generator=torch.Generator().manual_seed(3))
    trained(model, rows._replace(z=rows.z[order]), method="fairberts", epochs=4)
    assert leaked(model)[1] >= 0.95


def test_inlp_takes_the_directions_of_the_group_out():
    rows = gaussian(1500, seed=1)
    directions = inlp(rows.states.values[:, 0], rows, rounds=2)
    assert torch.allclose(directions @ directions.T, torch.eye(2), atol=1e-5)
    model = classifier()
    model.generator = Projection(directions)
    trained(model, rows, method="plain", epochs=3)
    accuracy, leakage = leaked(model)
    assert accuracy >= 0.95
    assert leakage <= 0.55
    with pytest.raises(ArgumentError, match="rounds must lie in 0 to 8"):
        inlp(rows.states.values[:, 0], rows, rounds=9)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_fresh_generator_changes_nothing(name):
    rows, model = gaussian(20, seed=0), classifier(replace(SETTING, generator=name))
    bare = classifier()
    bare.head.load_state_dict(model.head.state_dict())
    assert torch.equal(predictions(model, rows.states).probabilities, predictions(bare, rows.states).probabilities)
    assert model(rows.states).perturbation.abs().max() == 0


def test_weight_zero_is_the_baseline():
    """The generator and the twins change no bit of it, nor does a second epoch."""
    rows = with_twins(gaussian(200, seed=1, skew=0.8))
    for balanced, baseline in ((False, "plain"), (True, "reweighing")):
        setting, weights = replace(PAIRED, weight=0.0, balanced_labels=balanced), {}
        for method in (baseline, "fairberts", "adversarial"):
            model = classifier(setting if method == "fairberts" else None)
            with torch.no_grad():
                model.head.weight.fill_(0.1)
                model.head.bias.zero_()
            trained(model, rows, method=method, setting=setting, epochs=2)
            weights[method] = model.head.weight.detach()
        assert torch.equal(weights[baseline], weights["adversarial"])
        assert torch.equal(weights[baseline], weights["fairberts"])


def test_a_sentence_that_is_its_own_twin_is_of_no_group():
    rows = with_twins(gaussian(4, seed=1))
    rows.twins.values[0] = rows.states.values[0]
    told = known_twins(rows, PAIRED)
    assert told.z.tolist() == [-1, *rows.z[1:].tolist(), -1, *(1 - rows.z[1:]).tolist()]
    assert told.y.tolist() == 2 * rows.y.tolist()


def test_the_same_seed_gives_the_same_bits():
    results = []
    for _ in range(2):
        model = classifier(SETTING)
        history = trained(model, gaussian(200, seed=1), method="fairberts", epochs=2)
        results.append((history, model.generator.outside.weight.detach()))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])


def test_reweighing_takes_the_skew_out_of_the_label():
    rows = gaussian(2000, seed=2, skew=0.8)
    for label in (0, 1):
        shares = [rows.weights[(rows.y == label) & (rows.z == group)].sum() for group in (0, 1)]
        expected = (rows.y == label).sum() * (rows.z == 1).float().mean()
        assert shares[1].item() == pytest.approx(expected.item(), rel=1e-4)


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="method must be one of plain"):
        trained(classifier(), gaussian(20, seed=0), method="fair")
    with pytest.raises(ArgumentError, match="erasure must be one of to_uniform"):
        Setting(erasure="none")
    with pytest.raises(ArgumentError, match="weight must be at least 0; got -1"):
        Setting(weight=-1)
    with pytest.raises(DataError, match="must have both groups"):
        labelled_rows(gaussian(4, seed=0).states, torch.tensor([0, 1, 0, 1]), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(DataError, match="twins; the rows have none"):
        trained(classifier(), gaussian(20, seed=0), method="cda")
    with pytest.raises(DataError, match="pairs above 0 must have"):
        trained(classifier(), gaussian(20, seed=0), method="fairberts", setting=PAIRED)
    assert sorted(METHODS) == ["adversarial", "cda", "fairberts", "plain", "reweighing"]
