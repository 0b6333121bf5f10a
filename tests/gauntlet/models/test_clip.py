"""A CLIP taken apart gives what open_clip's gives whole; what is frozen stays."""

import pytest
import torch
from open_clip.model import CLIP
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.attention_pool import TokenPool
from gauntlet.models.clip import MEAN, STD, Clip
from gauntlet.models.clip_small import ClipShape, small_clip
from gauntlet.models.clip_words import Words

WORDS = Words(["a", "bird", "fish", "of", "owl", "photo", "red"], context=16)
TEXT = {"context_length": 16, "vocab_size": len(WORDS), "width": 16, "heads": 2, "layers": 2}
TOWERS = {
    "resnet": {"layers": (1, 1, 1, 1), "width": 4, "head_width": 16, "image_size": 64},
    "vit": {"layers": 3, "width": 32, "head_width": 8, "patch_size": 16, "image_size": 64},
    "vit, layer scale": {
        "layers": 2,
        "width": 32,
        "head_width": 8,
        "patch_size": 16,
        "image_size": 64,
        "ls_init_value": 0.3,
    },
}


def whole(tower: str) -> CLIP:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if tower == "small":
            shape = ClipShape(width=4, head_width=16, embed=8, text_width=16, text_heads=2, context=16)
            model = small_clip(shape, ids=len(WORDS))
        else:
            model = CLIP(8, TOWERS[tower], TEXT)
        for name, tensor in model.named_parameters():
            if "bn3.weight" in name or name.endswith("bias"):
                torch.nn.init.normal_(tensor, 0.5, 0.2)  # they begin at zero, where a mistake would not show
    return model.eval()


@pytest.fixture(scope="module", params=[*TOWERS, "small"])
def tower(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def clip(tower) -> Clip:
    return Clip(whole(tower), WORDS, image_size_px=64, name="tiny")


def pictures(count=3) -> torch.Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_image_features_are_open_clips(tower, clip):
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    with torch.no_grad():
        expected = whole(tower).encode_image((pictures() - mean) / std, normalize=True)
    assert torch.allclose(clip.image_features(pictures()), expected, atol=1e-5)


def test_text_features_are_open_clips(tower, clip):
    texts = ["a photo of a red owl.", "fish", "a bird"]
    with torch.no_grad():
        expected = whole(tower).encode_text(WORDS(texts), normalize=True)
    assert torch.allclose(clip.text_features(texts), expected, atol=1e-5)
    # What stands behind the end does not count: alone, a text is cut shorter.
    assert torch.allclose(clip.text_features(texts[1:2]), expected[1:2], atol=1e-5)


def test_maps_and_attention_fit(clip):
    maps = clip.maps(pictures())
    weights = clip.pool.attention(maps)
    tokens = maps.shape[2] * maps.shape[3]
    assert maps.ndim == 4
    assert weights.shape[2] == (tokens if isinstance(clip.pool, TokenPool) else tokens + 1)
    assert torch.allclose(weights.sum(-1), torch.ones(weights.shape[:2]))


def test_the_small_one_keeps_sixteen_places():
    model = Clip(whole("small"), WORDS, image_size_px=64, name="tiny")
    assert model.maps(pictures()).shape == (3, 128, 4, 4)


def test_class_features_are_the_mean_over_templates(clip):
    templates = ["a photo of a {}.", "a red {}"]
    found = clip.class_features(["owl", "fish"], templates)
    texts = [[template.replace("{}", name) for template in templates] for name in ("owl", "fish")]
    expected = torch.stack([functional.normalize(clip.text_features(pair).mean(0), dim=0) for pair in texts])
    assert torch.allclose(found, expected, atol=1e-6)
    assert torch.allclose(clip.class_features(["owl"], templates[:1]), clip.text_features(["a photo of a owl."]))


def test_a_context_of_words_gives_the_texts_feature(clip):
    ids = WORDS(["a photo of"])[0, 1:4]
    context = clip.model.token_embedding(ids).clone().requires_grad_()
    found = clip.prompt_features(context, ["red owl", "fish"])
    assert torch.allclose(found, clip.text_features(["a photo of red owl.", "a photo of fish."]), atol=1e-5)
    found[:, 0].sum().backward()
    assert context.shape[1] == clip.text_width
    assert context.grad.abs().sum() > 0


def test_nothing_of_the_clip_moves_when_a_pool_is_trained(clip):
    before = {name: tensor.clone() for name, tensor in clip.state_dict().items()}
    zero_shot, text = clip.image_features(pictures()), clip.text_features(["owl"])
    pool = clip.new_pool().train()
    first = {name: tensor.clone() for name, tensor in pool.state_dict().items()}
    optimizer = torch.optim.AdamW([tensor for tensor in pool.parameters() if tensor.requires_grad], lr=0.1)
    clip.train()
    pool(clip.maps(pictures())).square().sum().backward()
    optimizer.step()
    assert not clip.training
    assert not any(tensor.requires_grad for tensor in clip.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in clip.state_dict().items())
    assert torch.equal(clip.image_features(pictures()), zero_shot)
    assert torch.equal(clip.text_features(["owl"]), text)
    changed = {name for name, tensor in pool.state_dict().items() if not torch.equal(tensor, first[name])}
    tuned = {f"{letter}_proj.{part}" for letter in "qkvc" for part in ("weight", "bias")}
    assert changed == tuned | ({"projection"} if isinstance(pool, TokenPool) else set())


def test_before_a_step_a_new_pool_is_the_old_one(clip):
    maps = clip.maps(pictures())
    assert torch.equal(clip.new_pool()(maps), clip.pool(maps))


@pytest.mark.parametrize(
    ("names", "templates", "line"),
    [
        ([], ["{}"], "must be some; got 0 and 1"),
        (["owl"], [], "must be some; got 1 and 0"),
        (["owl"], ["a photo"], "must have one"),
        (["owl"], ["{} {}"], "must have one"),
        (["owl", "xylophone"], ["a {}"], "must have a word that tiny knows; got 'xylophone'"),
    ],
)
def test_bad_classes_and_templates(names, templates, line):
    with pytest.raises(ArgumentError, match=line):
        Clip(whole("small"), WORDS, image_size_px=64, name="tiny").class_features(names, templates)


def test_bad_pictures_texts_and_contexts(clip):
    with pytest.raises(ArgumentError, match="x must be B x 3 x 64 x 64"):
        clip.maps(torch.rand(1, 3, 32, 32))
    with pytest.raises(ArgumentError, match="texts must be some"):
        clip.text_features([])
    with pytest.raises(ArgumentError, match="context must be n x 16"):
        clip.prompt_features(torch.zeros(2, 8), ["owl"])


def test_other_kinds_of_clip_are_refused():
    model = whole("small")
    model.visual = torch.nn.Linear(2, 2)
    with pytest.raises(ArgumentError, match="image tower must be a CLIP ResNet or ViT; got Linear"):
        Clip(model, WORDS, image_size_px=64, name="tiny")
    model = whole("resnet")
    model.text_pool_type = "last"
    with pytest.raises(ArgumentError, match="text tower must be causal"):
        Clip(model, WORDS, image_size_px=64, name="tiny")
    model = CLIP(8, TOWERS["vit"] | {"pool_type": "avg"}, TEXT)
    with pytest.raises(ArgumentError, match="class token"):
        Clip(model, WORDS, image_size_px=64, name="tiny")


@pytest.mark.parametrize(
    "wrong",
    [{"image_size_px": 60}, {"layers": (1, 1, 1)}, {"width": 3}, {"head_width": 48}, {"text_heads": 3}],
)
def test_sizes_that_fit_nowhere(wrong):
    with pytest.raises(ArgumentError, match="must"):
        ClipShape(**wrong)
