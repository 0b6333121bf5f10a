import pytest
import torch
from torch import nn

from gauntlet.errors import ArgumentError
from gauntlet.training.chat.loop import answer_losses, first_scores, mean_loss, train_chat
from gauntlet.training.chat.lora import adapt, freeze, upper
from gauntlet.training.chat.records import Lesson
from gauntlet.training.state import start
from tests.fixtures.tiny_llama import llama

PREFIX = torch.tensor([1, 40, 41, 42])


def lesson(length: int, *, answer: int, seed: int) -> Lesson:
    tokens = torch.randint(3, 250, (length,), generator=torch.Generator().manual_seed(seed))
    return Lesson(tokens, answer, torch.full((length - answer,), 1 / (length - answer)))


ITEMS = (lesson(9, answer=6, seed=0), lesson(5, answer=3, seed=1), lesson(12, answer=8, seed=2))


def adapted(layers: int = 2, *, trained: bool = False):
    one = adapt(llama(), layers=layers, rank=4, alpha=8.0, generator=torch.Generator().manual_seed(3))
    if trained:
        with torch.no_grad():
            for number, weight in enumerate(one.adapters().values()):
                weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(number)), alpha=0.1)
    return one


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_cut_in_two_it_is_the_whole_model(layers):
    one = adapted(layers, trained=True)
    frozen = freeze(one, PREFIX, ITEMS, batch=2)
    hidden = upper(one, frozen.prefix, frozen.items)
    for row, item in enumerate(ITEMS):
        whole = one.lm.model(torch.cat([PREFIX, item.tokens])[None]).last_hidden_state[0, len(PREFIX) :]
        torch.testing.assert_close(one.lm.model.norm(hidden[row, : len(item.tokens)]), whole, atol=2e-4, rtol=1e-4)


def test_the_loss_is_that_of_transformers_on_the_answer():
    one = adapted(trained=True)
    frozen = freeze(one, PREFIX, ITEMS, batch=3)
    ours = answer_losses(one, frozen, list(enumerate(ITEMS)))
    for number, item in enumerate(ITEMS):
        tokens = torch.cat([PREFIX, item.tokens])[None]
        labels = tokens.clone()
        labels[:, : len(PREFIX) + item.answer] = -100
        torch.testing.assert_close(ours[number], one.lm(tokens, labels=labels).loss, atol=1e-4, rtol=1e-4)


def test_with_tags_the_verdict_s_surprise_among_them_is_added():
    one = adapted(trained=True)
    frozen = freeze(one, PREFIX, ITEMS, batch=3)
    numbered, firsts = list(enumerate(ITEMS)), [int(item.tokens[item.answer]) for item in ITEMS]
    tags = tuple(sorted(set(firsts)))
    scores = first_scores(one, frozen, ITEMS, tags=tags, batch=3)
    added = -torch.stack([row[tags.index(first)] for row, first in zip(scores, firsts, strict=True)]).log()
    plain = answer_losses(one, frozen, numbered)
    torch.testing.assert_close(answer_losses(one, frozen, numbered, tags=tags), plain + added, atol=1e-4, rtol=1e-4)


def test_fresh_adapters_change_nothing():
    tokens = torch.cat([PREFIX, ITEMS[0].tokens])[None]
    assert torch.equal(adapted().lm(tokens).logits, llama()(tokens).logits)


def test_only_the_upper_layers_adapters_train():
    names = list(adapted(1).adapters())
    assert len(names) == 14
    assert all("/layers/2/" in name and "lora_" in name for name in names)


def test_gradients_reach_the_shared_beginning():
    """The adapters see the beginning too: their gradient is that of the whole model."""
    one, whole = adapted(trained=True), adapted(trained=True)
    item = ITEMS[0]
    answer_losses(one, freeze(one, PREFIX, [item], batch=1), [(0, item)]).sum().backward()
    tokens = torch.cat([PREFIX, item.tokens])[None]
    labels = tokens.clone()
    labels[:, : len(PREFIX) + item.answer] = -100
    whole.lm(tokens, labels=labels).loss.backward()
    for ours, theirs in zip(one.adapters().values(), whole.adapters().values(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-3)


def learn(epochs: int, *, state_dict: dict | None = None):
    one = adapted()
    frozen = freeze(one, PREFIX, ITEMS, batch=2)
    generator = torch.Generator().manual_seed(5)
    state = start(nn.Module.train(one.adapters()), lr=0.02, weight_decay=0.0, batches=2, epochs=6, generator=generator)
    if state_dict:
        state.load_state_dict(state_dict)
    records = list(train_chat(state, one, frozen, items=ITEMS, batch=2, epochs=epochs))
    return one, frozen, state, records


def test_it_learns_and_resumes_to_the_same_bits():
    one, frozen, _, records = learn(6)
    assert records[-1]["loss"] < records[0]["loss"] / 2
    assert mean_loss(one, frozen, ITEMS, batch=3) < records[0]["loss"] / 2
    half = learn(3)[2].state_dict()
    again, _, _, rest = learn(6, state_dict=half)
    assert [record["epoch"] for record in rest] == [4, 5, 6]
    for ours, theirs in zip(one.adapters().values(), again.adapters().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_scores_are_the_softmax_over_the_tags_alone():
    one = adapted(trained=True)
    frozen = freeze(one, PREFIX, ITEMS, batch=3)
    scores = first_scores(one, frozen, ITEMS, tags=(10, 20), batch=2)
    for row, item in enumerate(ITEMS):
        logits = one.lm(torch.cat([PREFIX, item.tokens[: item.answer]])[None]).logits[0, -1]
        torch.testing.assert_close(scores[row], logits[[10, 20]].softmax(0), atol=1e-3, rtol=1e-3)


def test_more_layers_than_the_model_has():
    with pytest.raises(ArgumentError, match=r"1\.\.3, the model's layers; got 4"):
        adapted(4)
