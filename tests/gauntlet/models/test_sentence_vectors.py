"""Mean-pooled vectors: by hand, whatever other texts are read, and cut where asked."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from gauntlet.models.sentence_vectors import sentence_vectors

TEXTS = ["bread", "how do I bake bread", "how do I bake soup", "a mile", "bread and soup and bread"]


class Words:
    """A tokenizer that numbers words by their length."""

    def __call__(self, text, *, truncation, max_length):
        assert truncation
        return {"input_ids": [1, *(len(word) + 2 for word in text.split()), 2][:max_length]}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return BertModel(BertConfig(vocab_size=32, **sizes)).eval()


def test_a_vector_is_the_mean_state_at_length_one(model):
    ids = torch.tensor([Words()(TEXTS[1], truncation=True, max_length=99)["input_ids"]])
    mask = torch.ones_like(ids)
    with torch.no_grad():
        state = model(input_ids=ids, attention_mask=mask).last_hidden_state[0].double().mean(0).numpy()
    found = sentence_vectors(model, Words(), [TEXTS[1]])
    np.testing.assert_allclose(found[0], state / np.linalg.norm(state), atol=1e-6)


def test_other_texts_and_their_order_change_nothing(model):
    together = sentence_vectors(model, Words(), TEXTS)
    alone = np.concatenate([sentence_vectors(model, Words(), [text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(sentence_vectors(model, Words(), TEXTS[::-1]), together[::-1], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1)


def test_a_longer_text_is_cut(model):
    cut = sentence_vectors(model, Words(), ["bread and soup", "bread and tea"], tokens=3)
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-6)
    assert sentence_vectors(model, Words(), []).shape == (0, 16)
