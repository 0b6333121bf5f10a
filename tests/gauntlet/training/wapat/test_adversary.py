"""The adversary: the sheet's checks, PGD and the plain pseudo-code as oracles, and each utterance on its own."""

import pytest
import torch
from torch import nn

from gauntlet.attacks.features import feature_pgd, feature_scale
from gauntlet.errors import ArgumentError
from gauntlet.training.wapat.adversary import Release, divergence, frame_mean, perturb
from tests.gauntlet.tiny_ctc import TinyCtc, sentences, spoken, trained_tiny_ctc

EPS = 0.3


@pytest.fixture(scope="module")
def tiny():
    """A recogniser that is good and not sure of itself."""
    return trained_tiny_ctc(updates=40)


@pytest.fixture(scope="module")
def texts():
    return sentences(12, seed=7)


@pytest.fixture(scope="module")
def heard(tiny, texts):
    return tiny.features(*spoken(texts, seed=1))


@pytest.fixture(scope="module")
def twin(tiny, texts):
    return tiny.features(*spoken(texts, noise=0.1, seed=2))


def losses(model, features, texts):
    with torch.no_grad():
        return model.loss(model.from_features(features), features.frames, texts)


def moved(features, delta):
    return features.of(features.values + delta)


def generator():
    return torch.Generator().manual_seed(0)


def plain_step(**changes):
    return {"eps": EPS, "alpha": EPS, "steps": 1, "random_start": False} | changes


@pytest.mark.parametrize("guided", [False, True])
def test_one_sign_step_reaches_the_ball_and_leaves_padding(tiny, heard, twin, texts, guided):
    delta, unguided = perturb(tiny, heard, texts, **plain_step(), guidance=twin if guided else None)
    assert unguided == 0
    assert (delta[heard.mask].abs() == torch.tensor(EPS)).float().mean() >= 0.95
    assert (~heard.mask).any()
    assert (delta[~heard.mask] == 0).all()


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_rises_on_nearly_every_utterance(tiny, heard, twin, texts, guided, precision):
    guidance = twin if guided else None
    delta = perturb(tiny, heard, texts, **plain_step(), guidance=guidance, precision=precision).delta
    assert delta.dtype == torch.float32
    assert (losses(tiny, moved(heard, delta), texts) > losses(tiny, heard, texts)).float().mean() >= 0.9


def test_guided_the_answer_stays_nearer_to_the_twins_adversary(tiny, heard, twin, texts):
    theirs = moved(twin, perturb(tiny, twin, texts, **plain_step()).delta)
    apart = {}
    for name, guidance in {"guided": twin, "not": None}.items():
        delta = perturb(tiny, heard, texts, **plain_step(steps=3, alpha=EPS / 2), guidance=guidance).delta
        with torch.no_grad():
            kl = divergence(tiny.from_features(moved(heard, delta)), tiny.from_features(theirs))
        apart[name] = frame_mean(kl, heard).mean()
    assert apart["guided"] < apart["not"]


@pytest.mark.parametrize("steps", [1, 3])
def test_without_guidance_it_is_pgd_on_the_features(tiny, heard, texts, steps):
    eps = 0.2 * feature_scale(heard)
    settings = {"eps": eps, "alpha": eps / 2, "steps": steps, "random_start": True}
    ours = perturb(tiny, heard, texts, **settings, generator=generator()).delta
    assert torch.equal(ours, feature_pgd(tiny, heard, texts, **settings, generator=generator()))


def test_guided_it_is_the_sheets_pseudo_code(tiny, heard, twin, texts):
    """One graph over the whole objective, KL by torch, utterance by utterance."""
    alpha = EPS / 3
    delta = perturb(tiny, heard, texts, **plain_step(alpha=alpha), guidance=twin).delta

    def loss(values, row):
        log_probs = tiny.from_features(heard.of(values))
        return tiny.loss(log_probs, heard.frames, texts)[row], log_probs[row, : heard.frames[row]]

    for row in range(3):
        z, za = (f.values.clone().requires_grad_() for f in (heard, twin))
        eta, eta_a = (EPS * torch.autograd.grad(loss(x, row)[0], x)[0].sign() for x in (z, za))
        answer, other = loss(z + eta, row)[1], loss(za + eta_a, row)[1].detach()
        kl = nn.functional.kl_div(other, answer, log_target=True, reduction="batchmean")
        (slope,) = torch.autograd.grad(loss(z, row)[0] - kl, z)
        assert (delta[row] == alpha * slope[row].sign()).float().mean() > 0.999


@pytest.mark.parametrize("guided", [False, True])
def test_neighbours_and_padding_change_nothing(tiny, heard, twin, texts, guided):
    whole = perturb(tiny, heard, texts, **plain_step(steps=2), guidance=twin if guided else None).delta
    for row in (0, 5, 11):
        size = heard.frames[row]
        one = type(heard)(heard.values[row : row + 1, :size], heard.frames[row : row + 1])
        two = type(heard)(twin.values[row : row + 1, :size], twin.frames[row : row + 1])
        alone = perturb(tiny, one, texts[row : row + 1], **plain_step(steps=2), guidance=two if guided else None).delta
        assert (alone[0] == whole[row, :size]).float().mean() > 0.995  # a sum's order decides a sign near zero


def test_a_twin_of_other_length_is_left_out_and_counted(tiny, heard, twin, texts):
    frames = twin.frames.clone()
    frames[3] -= 1
    other = type(twin)(twin.values[:, : int(frames.max())], frames)
    delta, unguided = perturb(tiny, heard, texts, **plain_step(), guidance=other)
    assert unguided == 1
    guided = perturb(tiny, heard, texts, **plain_step(), guidance=twin).delta
    alone = perturb(tiny, heard, texts, **plain_step()).delta
    assert torch.equal(delta[3], alone[3])
    assert not torch.equal(alone, guided)
    kept = [row for row in range(len(texts)) if row != 3]
    assert torch.equal(delta[kept], guided[kept])


def test_the_recogniser_is_left_as_it_was(heard, texts):
    model = TinyCtc(dropout=0.5).train()
    model.layers[1].eval()
    modes = [part.training for part in model.modules()]
    wanted = [weight.requires_grad for weight in model.parameters()]
    first, second = (perturb(model, heard, texts, **plain_step()).delta for _ in range(2))
    assert torch.equal(first, second)  # without dropout
    assert modes == [part.training for part in model.modules()]
    assert wanted == [weight.requires_grad for weight in model.parameters()]
    assert all(weight.grad is None for weight in model.parameters())


def test_the_release_keeps_the_clean_features_at_one_step(tiny, heard, texts):
    release = Release(best_before_step=True)
    still, moving = (perturb(tiny, heard, texts, **plain_step(steps=steps), release=release).delta for steps in (1, 2))
    assert (still == 0).all()
    assert moving.abs().amax() == torch.tensor(EPS)
    assert torch.equal(moving, perturb(tiny, heard, texts, **plain_step()).delta)


def test_the_release_clamps_features_as_if_they_were_pixels(tiny, heard, texts):
    delta = perturb(tiny, heard, texts, **plain_step(), release=Release(clamped=True)).delta
    assert moved(heard, delta).values[heard.mask].abs().max() <= 1
    assert heard.values.abs().max() > 1 + EPS


def test_the_release_climbs_the_loss_of_other_texts(tiny, heard, texts):
    delta = perturb(tiny, heard, texts, **plain_step(), release=Release(shuffled_targets=True), generator=generator())
    order = torch.randperm(len(texts), generator=generator()).tolist()
    others = [texts[place] for place in order]
    fits = tiny.fits(others, heard.frames)
    expected = perturb(
        tiny, heard, [o if f else t for o, t, f in zip(others, texts, fits, strict=True)], **plain_step()
    )
    assert torch.equal(delta.delta[fits], expected.delta[fits])
    long = [*texts[1:], "a" * 80]
    squeezed = perturb(
        tiny, heard, long, **plain_step(), release=Release(shuffled_targets=True), generator=generator()
    ).delta
    assert (squeezed[order.index(len(texts) - 1)] == 0).all()


def test_the_release_guides_by_the_cosine(tiny, heard, twin, texts):
    alpha = EPS / 3
    release = Release(cosine_guidance=True)
    delta = perturb(tiny, heard, texts, **plain_step(alpha=alpha), guidance=twin, release=release).delta
    z, za = (f.values.clone().requires_grad_() for f in (heard, twin))
    slopes = [
        torch.autograd.grad(tiny.loss(tiny.from_features(heard.of(x)), heard.frames, texts).sum(), x)[0]
        for x in (z, za)
    ]
    cosine = frame_mean(nn.functional.cosine_similarity(z, za, dim=2), heard).sum()
    slope = (slopes[0] + slopes[1]) / 2 - torch.autograd.grad(cosine, z)[0]
    assert (delta == alpha * slope.sign() * heard.mask[..., None]).float().mean() > 0.999


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eps": -1.0}, "eps must be at least 0; got -1"),
        ({"alpha": float("nan")}, "alpha must be at least 0; got nan"),
        ({"steps": 0}, "steps must be at least 1; got 0; eps 0 turns the adversary off"),
        ({"precision": "float8"}, "precision must be one of float32, bfloat16; got 'float8'"),
        ({"random_start": True}, "a random start and shuffled targets must be given a generator; got none"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_mean_nothing_are_refused(tiny, heard, texts, change, message):
    with pytest.raises(ArgumentError) as refused:
        perturb(tiny, heard, texts, **plain_step(**change))
    assert str(refused.value) == message
