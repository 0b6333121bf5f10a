"""The contrastive loss against closed forms; the loop on a model of a few weights."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.clip import MEAN, STD, encode_tokens
from gauntlet.training.clip import Concept, contrastive_loss, start_clip, train_clip, vary
from gauntlet.training.state import start


def test_without_repeats_it_is_clips_own_loss():
    generator = torch.Generator().manual_seed(0)
    images, texts = (functional.normalize(torch.randn(6, 4, generator=generator), dim=1) for _ in range(2))
    logits = 10 * images @ texts.T
    own = torch.arange(6)
    expected = (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2
    found = contrastive_loss(images, texts, logit_scale=torch.tensor(10.0), same=torch.eye(6, dtype=torch.bool))
    assert torch.allclose(found, expected)


def test_a_repeated_caption_is_no_negative():
    """Two pairs of twins, perfectly matched: only the twins share the mass, ln 2 at a great scale."""
    features = torch.eye(2).repeat_interleave(2, 0)
    same = (features @ features.T).bool()
    found = contrastive_loss(features, features, logit_scale=torch.tensor(100.0), same=same)
    assert found.item() == pytest.approx(math.log(2), abs=1e-5)
    punished = contrastive_loss(features, features + 0.1, logit_scale=torch.tensor(1.0), same=torch.eye(4).bool())
    assert punished > math.log(2)


def test_orthogonal_pairs_in_closed_form():
    found = contrastive_loss(torch.eye(3), torch.eye(3), logit_scale=torch.tensor(2.0), same=torch.eye(3).bool())
    assert found.item() == pytest.approx(math.log(1 + 2 * math.exp(-2)), abs=1e-6)


def test_nothing_varied_is_the_picture_or_its_mirror():
    x = torch.rand(32, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = vary(x, side_px=8, least=1.0, light=0.0, generator=torch.Generator().manual_seed(1))
    kept = [torch.allclose(a, b, atol=1e-5) for a, b in zip(found, x, strict=True)]
    mirrored = [torch.allclose(a, b.flip(-1), atol=1e-5) for a, b in zip(found, x, strict=True)]
    assert all(a or b for a, b in zip(kept, mirrored, strict=True))
    assert 5 < sum(mirrored) < 27


def test_varied_pictures_stay_in_range_and_depend_on_the_seed():
    x = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    first, again, other = (
        vary(x, side_px=12, least=0.5, light=0.5, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (8, 3, 12, 12)
    assert 0 <= first.min() <= first.max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_crop_lies_inside_the_picture():
    """A ramp from left to right: a crop's range of values is its place and width."""
    ramp = torch.linspace(0, 1, 64).expand(64, 3, 64, 64)
    found = vary(ramp, side_px=64, least=0.5, light=0.0, generator=torch.Generator().manual_seed(0))
    spread = found.amax((1, 2, 3)) - found.amin((1, 2, 3))
    assert (spread > 0.48).all()
    assert spread.min() < 0.6 < 0.9 < spread.max()


@pytest.mark.parametrize("wrong", [{"least": 0.0}, {"least": 1.5}, {"light": 1.0}, {"light": -0.1}])
def test_shares_out_of_range(wrong):
    settings = {"least": 0.5, "light": 0.1} | wrong
    with pytest.raises(ArgumentError, match="least must lie in"):
        vary(torch.rand(1, 3, 8, 8), side_px=8, **settings, generator=torch.Generator())


class Pair(nn.Module):
    """What `train_clip` asks of a model: an image tower and the parts of a causal text tower, here of no layers."""

    text_pool_type = "argmax"

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 8))
        self.token_embedding = nn.Embedding(8, 8)
        self.positional_embedding = nn.Parameter(torch.zeros(4, 8))
        self.ln_final = nn.Identity()
        self.text_projection = nn.Parameter(torch.eye(8))
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        self.attn_mask = torch.zeros(4, 4)

    def transformer(self, hidden, *, attn_mask):
        """Sum up to each place, so that the end knows the word."""
        return hidden.cumsum(1)


def world() -> tuple[torch.Tensor, torch.Tensor]:
    """Red, green and blue pictures; captions of one word each."""
    colours = torch.arange(48) % 3
    x = torch.full((48, 3, 8, 8), 40, dtype=torch.uint8)
    x[torch.arange(48), colours] = 220
    tokens = torch.tensor([[2, 3, 7, 0], [2, 4, 7, 0], [2, 5, 7, 0]])[colours]
    return x, tokens


def trained(epochs=6, *, x=None, tokens=None, batch=16, **settings) -> tuple[Pair, list[dict]]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Pair()
    state = start(
        model, lr=0.05, weight_decay=0.0, batches=3, epochs=epochs, generator=torch.Generator().manual_seed(0)
    )
    x, tokens = world() if x is None else (x, tokens)
    return model, list(train_clip(state, x, tokens, epochs=epochs, batch=batch, side_px=8, **settings))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_three_colours_are_learnt(precision):
    model, records = trained(precision=precision)
    assert [record["epoch"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert records[-1]["matched"] == 1.0
    assert records[-1]["loss"] < 0.7 * records[0]["loss"]
    assert model.logit_scale <= math.log(100)


def test_a_concept_teaches_what_captions_leave_out():
    """All captions are alike, which is no signal at all; the concept tells the colours apart, in either template."""
    x, _ = world()
    colours = torch.arange(48) % 3
    words = torch.tensor([[[2, 3, 7, 0], [2, 4, 7, 0], [2, 5, 7, 0]], [[6, 3, 7, 0], [6, 4, 7, 0], [6, 5, 7, 0]]])
    alike = torch.tensor([2, 2, 7, 0]).repeat(48, 1)
    pictures = (x[:3].float() / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]

    def answers(**settings):
        model, _ = trained(12, x=x, tokens=alike, **settings)
        return [(model.visual(pictures) @ encode_tokens(model, each).T).argmax(1).tolist() for each in words]

    assert answers(concepts=[Concept(words, colours)]) == [[0, 1, 2]] * 2
    assert answers() != [[0, 1, 2]] * 2
    with pytest.raises(ArgumentError, match="a concept must tell of each of the 48 pictures; got one of 47"):
        answers(concepts=[Concept(words, colours[:47])])


def test_queries_and_keys_have_a_rate_of_their_own():
    """Adam's first step has the length of the rate, whatever the gradient."""
    model = nn.Module()
    model.attnpool, model.rest = nn.Module(), nn.Linear(4, 4)
    model.attnpool.q_proj, model.attnpool.k_proj = nn.Linear(4, 4), nn.Linear(4, 4)
    before = {name: tensor.clone() for name, tensor in model.named_parameters()}
    rates = {"lr": 0.1, "attention_lr": 0.001, "weight_decay": 0.0}
    state = start_clip(model, **rates, batches=10, epochs=1, generator=torch.Generator())
    sum(tensor.sum() for tensor in model.parameters()).backward()
    state.optimizer.step()
    moved = {name: (before[name] - tensor).mean().item() for name, tensor in model.named_parameters()}
    assert len(moved) == 6
    assert moved["rest.weight"] == pytest.approx(0.1 / 25, rel=1e-3)
    assert moved["attnpool.q_proj.weight"] == pytest.approx(moved["rest.weight"] / 100, rel=1e-3)
    assert moved["attnpool.k_proj.bias"] == pytest.approx(moved["rest.weight"] / 100, rel=1e-3)


def test_the_same_seed_gives_the_same_bits():
    first, again = (trained(2, small_px=4, small_epochs=1)[0].state_dict() for _ in range(2))
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())


def test_the_small_epochs_come_first():
    seen = []
    with torch.random.fork_rng(devices=[]):
        model = Pair()
    model.visual.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    state = start(model, lr=0.01, weight_decay=0.0, batches=3, epochs=3, generator=torch.Generator())
    list(train_clip(state, *world(), epochs=3, batch=16, side_px=8, small_px=4, small_epochs=2))
    assert seen == [4] * 6 + [8] * 3


def test_bad_settings():
    x, tokens = world()
    with pytest.raises(ArgumentError, match="precision must be one of"):
        trained(precision="float16")
    with pytest.raises(ArgumentError, match="batch must lie in"):
        trained(batch=1)
    with pytest.raises(ArgumentError, match="batch must lie in"):
        trained(batch=64)
    with pytest.raises(ArgumentError, match="each picture have a caption"):
        trained(x=x, tokens=tokens[:5])
    with pytest.raises(ArgumentError, match="small_px"):
        trained(small_epochs=2)
