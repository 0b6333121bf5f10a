import pytest
import torch

from gauntlet.errors import DataError
from gauntlet.models.chat import Decode, Message, Question
from gauntlet.models.chat_transformers import ChatTransformers, draw
from stages.s_eval.convert import Params, run
from tests.fixtures.sources import write_archive
from tests.fixtures.tiny_llama import write_tiny_gguf


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    here = tmp_path_factory.mktemp("chat")
    tar = write_archive(here / "a.tar", {"a.gguf": write_tiny_gguf(here / "a.gguf").read_bytes()})
    run(Params(), weights=tar, chat_model=here / "out")
    return here / "out"


def question(name: str, *, content: str = "How do I bake bread?", **decode) -> Question:
    return Question(name, (Message(role="user", content=content),), Decode(max_tokens=8, **decode))


def test_greedy_answers_are_those_that_transformers_generates(folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How do I bake bread?"}]
    text = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    tokens = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    said = model.generate(tokens, max_new_tokens=8, do_sample=False)[0, tokens.shape[1] :]
    (answer,) = ChatTransformers(folder, system_prompt="Be brief.").ask([question("a")], logprobs=3)
    assert answer.response == tokenizer.decode(said, skip_special_tokens=True)
    assert answer.prompt_tokens == tokens.shape[1]
    best = model(tokens).logits[0, -1].detach().float().log_softmax(0).max()
    assert max(answer.first_token.values()) == pytest.approx(float(best), abs=1e-4)


def test_a_drawn_answer_hangs_on_its_own_seed_and_words_alone(folder):
    asked = [question("a", temperature=1.0), question("b", content="And a cake?", temperature=1.0)]
    chat = ChatTransformers(folder)
    said = {answer.id: answer.response for answer in chat.ask(asked)}
    assert said == {answer.id: answer.response for answer in chat.ask(asked[::-1])}
    (other,) = chat.ask([question("a", temperature=1.0, seed=1)])
    assert other.response != said["a"]


def test_a_prompt_over_the_context_is_counted_as_an_error(folder):
    (answer,) = ChatTransformers(folder, context_tokens=4).ask([question("a")])
    assert (answer.finish, answer.error, answer.response) == ("error", "context", "")


def test_a_folder_that_holds_no_model_is_named(tmp_path):
    with pytest.raises(DataError, match="must be a chat model of transformers"):
        ChatTransformers(tmp_path)


def test_draws_keep_to_the_nucleus_and_to_its_shares():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    generator = torch.Generator().manual_seed(0)
    drawn = [draw(logits, temperature=1.0, top_p=0.8, generator=generator) for _ in range(4000)]
    assert set(drawn) == {0, 1}
    assert drawn.count(0) / 4000 == pytest.approx(0.5 / 0.8, abs=0.03)
    assert draw(logits, temperature=0, top_p=1.0, generator=generator) == 0
