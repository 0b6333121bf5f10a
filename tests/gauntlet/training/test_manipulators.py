"""Editors learn a toy edit from its truth, and from a critic alone; a run taken up ends with the same bits."""

import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.critics import StarGanCritic
from gauntlet.models.face_features import FaceFeatures
from gauntlet.models.manipulators import Editor, fingerprint
from gauntlet.models.stargan import StarGan, StarGanShape
from gauntlet.training.manipulators import (
    CriticTurns,
    FaceRows,
    Weights,
    batches,
    editor_loss,
    face_rows,
    gradient_penalty,
    train_editor,
    train_features,
)
from gauntlet.training.state import start

NAMES = ("black_hair", "glasses")
PAIRED = Weights(paired=1, region=1, reconstruction=0, adversarial=0, labels=0)


def toys(count=32, *, paired=True):
    """Grey faces: hair is the top half, black or not; glasses a bright band below, on or off."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.rand(count, 2, generator=generator) < 0.5

    def draw(has):
        x = torch.full((count, 3, 8, 8), 100, dtype=torch.uint8)
        x[:, :, :4] = torch.where(has[:, 0], 0, 180)[:, None, None, None]
        x[:, :, 5] = torch.where(has[:, 1], 255, 100)[:, None, None]
        return x

    black, turned = labels.clone(), labels.clone()
    black[:, 0] = True
    turned[:, 1] = ~turned[:, 1]
    edits = {"black_hair": draw(black), "glasses": draw(turned)} if paired else None
    return face_rows(draw(labels), labels, NAMES, edits=edits)


def begin(network, *, epochs=25, batch=8, lr=0.02):
    return start(network, lr=lr, weight_decay=0, batches=4, epochs=epochs, generator=torch.Generator().manual_seed(0))


def stargan(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return StarGan(StarGanShape(2, width=4, blocks=1, kernel=3, norm="batch"))


def critic_turns(turns=2):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return CriticTurns(StarGanCritic(2, size_px=8, width=4, layers=2), lr=0.01, turns=turns)


def test_an_edit_is_learned_from_its_truth():
    rows, state = toys(), begin(stargan())
    losses = [record["loss"] for record in train_editor(state, rows, weights=PAIRED, epochs=25, batch=8, half=False)]
    assert losses[-1] < losses[0] / 2
    editor = Editor("toy", NAMES, state.model)
    x = rows.x.float() / 255
    for at in range(2):
        truth = rows.edits[at].float() / 255
        changes = (truth - x).abs() > 0.1
        apart = (editor.edit(x, at) - truth).abs()[changes].mean()
        assert apart < 0.5 * (x - truth).abs()[changes].mean()


def test_a_run_taken_up_ends_with_the_same_bits():
    rows = toys(16)
    weights = Weights(paired=1, region=0, reconstruction=1, adversarial=0.1, labels=0.1)

    def fresh():
        state = begin(stargan(), epochs=4)
        state.extra["critic"] = critic_turns()
        return state

    whole, cut, resumed = fresh(), fresh(), fresh()
    list(train_editor(whole, rows, weights=weights, epochs=4, batch=8))
    list(train_editor(cut, rows, weights=weights, epochs=2, batch=8))
    resumed.load_state_dict(cut.state_dict())
    list(train_editor(resumed, rows, weights=weights, epochs=4, batch=8))
    assert fingerprint(whole.model) == fingerprint(resumed.model)
    assert fingerprint(whole.model) != fingerprint(cut.model)


def test_without_truth_a_critic_trains_and_every_weight_moves():
    rows, state = toys(16, paired=False), begin(stargan(), epochs=1)
    state.extra["critic"] = turns = critic_turns(turns=1)
    before = {name: weight.clone() for name, weight in state.model.named_parameters()}
    critic = fingerprint(turns.critic)
    weights = Weights(paired=0, region=0, reconstruction=10, adversarial=1, labels=1)
    (record,) = train_editor(state, rows, weights=weights, epochs=1, batch=8, half=False)
    assert record["epoch"] == 1
    assert fingerprint(turns.critic) != critic
    assert all(not torch.equal(weight, before[name]) for name, weight in state.model.named_parameters())


def test_the_penalty_of_a_linear_critic_is_in_closed_form():
    class Linear(torch.nn.Module):
        def forward(self, x):
            return 3 * x.flatten(1)[:, :1], x

    x = torch.rand(4, 3, 8, 8)
    assert gradient_penalty(Linear(), x, 1 - x, generator=torch.Generator()).item() == pytest.approx(4)


class Copy(torch.nn.Module):
    """The edit whose code is `n` adds n + 1 tenths; no code adds nothing."""

    def forward(self, x, code):
        return x + (code * torch.tensor([0.1, 0.2])).sum(1)[:, None, None, None]


def test_losses_in_closed_form():
    part = next(batches(toys(8), 8, generator=torch.Generator().manual_seed(0), device="cpu"))
    fake = part.truth + 0.5
    changed = ((part.truth - part.x).abs().sum(1) > 0.1).flatten(1).any(1).float()
    assert changed.any()
    for weights, expected in (
        (Weights(2, 0, 0, 0, 0), 1.0),
        (Weights(0, 3, 0, 0, 0), 1.5 * changed.mean()),
        (Weights(0, 0, 1, 0, 0), 0.0),
    ):
        assert editor_loss(Copy(), part, fake, weights=weights, names=NAMES).item() == pytest.approx(float(expected))


def test_only_edits_that_can_be_undone_are():
    rows = FaceRows(torch.full((2, 3, 4, 4), 128, dtype=torch.uint8), torch.zeros(2, 2).bool(), NAMES, None)
    part = next(batches(rows, 2, generator=torch.Generator().manual_seed(1), device="cpu"))
    for at, expected in ((0, 0.0), (1, 0.4)):  # hair of no named colour is not undone; glasses on and off again are
        each = type(part)(part.x, None, part.labels, torch.full((2,), at))
        fake = part.x + (at + 1) / 10
        loss = editor_loss(Copy(), each, fake, weights=Weights(0, 0, 1, 0, 0), names=NAMES)
        assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_attributes_are_learned():
    rows = toys(32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = begin(FaceFeatures(NAMES, width=4, depth=2), epochs=40, lr=0.03)
    list(train_features(state, rows, epochs=40, batch=16))
    told = state.model.eval()(rows.x.float() / 255) > 0
    assert (told == rows.labels).float().mean() > 0.95


def test_nothing_that_says_what_an_edit_is():
    for rows, weights in ((toys(8, paired=False), PAIRED), (toys(8), Weights(1, 0, 0, 1, 0))):
        with pytest.raises(ArgumentError, match="an editor needs the truth of its edits"):
            next(train_editor(begin(stargan()), rows, weights=weights, epochs=1, batch=8))
