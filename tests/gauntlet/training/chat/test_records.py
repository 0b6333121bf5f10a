import pytest
import torch

from gauntlet.errors import DataError
from gauntlet.training.chat.records import Conversation, bucketed, lessons


def encode(text: str) -> list[int]:
    return list(text.encode())


def test_the_beginning_and_the_rest_are_the_conversation():
    talks = [Conversation("judge: abc?", "safe."), Conversation("judge: xyz, you?", "unsafe.")]
    taught = lessons(talks, encode, most_tokens=40)
    assert bytes(taught.prefix.tolist()) == b"judge: "
    for talk, item in zip(talks, taught.items, strict=True):
        tokens = taught.prefix.tolist() + item.tokens.tolist()
        assert bytes(tokens).decode() == talk.question + talk.answer
        assert bytes(item.tokens[item.answer :].tolist()).decode() == talk.answer
        assert item.weights.sum().item() == pytest.approx(1)


def test_a_question_that_begins_another_keeps_a_token():
    taught = lessons([Conversation("ab", "x"), Conversation("abc", "y")], encode, most_tokens=9)
    assert bytes(taught.prefix.tolist()) == b"a"
    assert [item.answer for item in taught.items] == [1, 2]


def test_the_first_token_has_its_share():
    taught = lessons([Conversation("a", "wxyz"), Conversation("b", "w")], encode, most_tokens=9, first_share=0.7)
    torch.testing.assert_close(taught.items[0].weights, torch.tensor([0.7, 0.1, 0.1, 0.1]))
    assert taught.items[1].weights.tolist() == [1]


def test_a_long_answer_is_cut_and_a_long_question_is_refused():
    talks = [Conversation("a", "wxyz"), Conversation("b", "w")]
    assert len(lessons(talks, encode, most_tokens=3).items[0].tokens) == 3
    with pytest.raises(DataError, match="shorter than 3 tokens; got 4"):
        lessons([Conversation("abcd", "w"), *talks], encode, most_tokens=3)


def test_one_question_alone_is_nothing_to_learn_from():
    with pytest.raises(DataError, match="at least two questions; got 0"):
        lessons([], encode, most_tokens=3)


def test_batches_hold_each_item_once_and_alike_lengths_together():
    lengths = [n % 10 for n in range(50)]
    batches = list(bucketed(lengths, batch=4, generator=torch.Generator().manual_seed(0)))
    assert sorted(index for batch in batches for index in batch) == list(range(50))
    assert max(len(batch) for batch in batches) == 4
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
    assert padded < 1.25 * sum(lengths)
    assert batches == list(bucketed(lengths, batch=4, generator=torch.Generator().manual_seed(0)))
