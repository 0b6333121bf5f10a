"""A classifier over frozen lower layers: the parts make the whole, other sentences change nothing."""

import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.perturbation import GENERATORS
from gauntlet.models.sentence_encoder import LowerLayers, Raised, SentenceClassifier, UpperLayers, predictions
from gauntlet.readers.encoders import read_encoder
from gauntlet.training.fairberts.transfer import random_generator, transferred
from tests.fixtures.encoders import write_encoder

TEXTS = ["how do I bake bread", "locks", "bake bread"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return read_encoder(write_encoder(tmp_path_factory.mktemp("encoder"), " ".join(TEXTS).split()))


@pytest.mark.parametrize("frozen_layers", [0, 1, 2])
def test_lower_and_upper_layers_make_the_encoder(encoder, frozen_layers):
    lower = LowerLayers(encoder, frozen_layers=frozen_layers)
    states = lower(TEXTS)
    assert states.mask.sum(1).tolist() == [7, 3, 4]
    tokens = encoder.tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        whole, parts = encoder.model(**tokens).last_hidden_state, lower.upper().eval()(states).values
    assert torch.allclose(whole[states.mask], parts[states.mask], atol=1e-5)


def test_other_sentences_and_the_order_change_nothing(encoder):
    lower = LowerLayers(encoder, frozen_layers=1)
    model = SentenceClassifier(lower.upper(), width=lower.width)
    together = predictions(model, lower(TEXTS))
    for place, text in enumerate(TEXTS):
        assert torch.allclose(predictions(model, lower([text])).states[0], together.states[place], atol=1e-5)
    assert model.training


def test_shared_upper_layers_read_a_sentence_once(encoder):
    lower, read = LowerLayers(encoder, frozen_layers=1), []
    model = SentenceClassifier(lower.upper(), width=lower.width).eval()
    model.upper.register_forward_hook(lambda module, args, out: read.append(len(out.mask)))
    whole, raised = predictions(model, lower(TEXTS)), Raised(lower, model.upper)
    for remembers, times in ((False, [3, 3]), (True, [3])):
        raised.remembers, read[:] = remembers, []
        for _ in range(2):
            said = predictions(model, raised(TEXTS), above=True)
            assert torch.allclose(said.states, whole.states, atol=1e-5)
            assert torch.allclose(said.probabilities, whole.probabilities, atol=1e-5)
        assert read == times


def test_depth_and_pooling_must_exist(encoder):
    with pytest.raises(ArgumentError, match="frozen_layers must lie in 0 to 2"):
        LowerLayers(encoder, frozen_layers=3)
    with pytest.raises(ArgumentError, match="pooling must be one of mean, first"):
        SentenceClassifier(UpperLayers(encoder.model, frozen_layers=2), width=16, pooling="last")
    with pytest.raises(ArgumentError, match=r"keep its layers in encoder\.layer"):
        UpperLayers(torch.nn.Linear(1, 1), frozen_layers=0)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_random_generator_is_as_long_as_the_trained_one_and_the_model_is_left_alone(encoder, name):
    lower = LowerLayers(encoder, frozen_layers=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SentenceClassifier(lower.upper(), width=lower.width)
        trained = GENERATORS[name](lower.width, hidden=8)
        torch.nn.init.normal_(trained.outside.weight)
    states = lower(TEXTS)
    noise = random_generator(model, trained, states, draw=torch.Generator().manual_seed(0))
    with torch.no_grad():
        lengths = [
            transferred(model, each).eval()(states).perturbation.square().sum(1).mean() for each in (trained, noise)
        ]
    assert lengths[0].item() == pytest.approx(lengths[1].item(), rel=1e-4)
    assert not torch.equal(trained.outside.weight, noise.outside.weight)
    assert model.generator is None
