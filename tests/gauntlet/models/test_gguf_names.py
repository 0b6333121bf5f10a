import pytest
import torch

from gauntlet.errors import DataError
from gauntlet.models.gguf_names import (
    gguf_name,
    gguf_tensors,
    halved,
    interleaved,
    transformers_name,
    transformers_state,
)
from tests.fixtures.tiny_llama import llama


def test_pairs_that_rotate_together_lie_side_by_side():
    """Two heads of four rows: transformers rotates rows 0 and 2, GGUF rows 0 and 1."""
    rows = torch.arange(8).float()[:, None]
    assert interleaved(rows, heads=2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert torch.equal(halved(interleaved(rows, heads=2), heads=2), rows)


def test_there_and_back_is_the_same_model():
    model = llama()
    state, config = model.state_dict(), model.config.to_dict()
    tensors = gguf_tensors(state, config)
    assert "output.weight" not in tensors
    back = transformers_state(tensors, config)
    assert back.keys() == state.keys() - {"lm_head.weight"}
    assert all(torch.equal(back[name], state[name]) for name in back)
    assert not torch.equal(tensors["blk.0.attn_q.weight"], state["model.layers.0.self_attn.q_proj.weight"])


def test_an_output_of_its_own_is_kept():
    model = llama()
    tensors = gguf_tensors(model.state_dict(), model.config.to_dict() | {"tie_word_embeddings": False})
    assert torch.equal(tensors["output.weight"], model.lm_head.weight)


@pytest.mark.parametrize("name", ["blk.0.ssm_in.weight", "token_types.weight"])
def test_a_weight_of_another_kind_of_model(name):
    with pytest.raises(DataError, match=r"must be a Llama's; got"):
        transformers_name(name)
    with pytest.raises(DataError, match=r"must be a Llama's; got"):
        gguf_name(name)
