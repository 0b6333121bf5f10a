"""The files of params/ over params.yaml: every stage takes them, and the papers are all there."""

from pathlib import Path

import pytest
import torch
import yaml

from gauntlet.models.ares_models import ARES_MODELS
from gauntlet.models.registry import build
from gauntlet.training.fgsm_law import METHODS
from gauntlet.training.fgsm_law import build as build_method
from gauntlet.training.fgsm_law.method import Setting
from gauntlet.training.wapat.methods import METHODS as WAPAT_METHODS
from stages.__main__ import check_params
from stages.ares_bench import attack
from stages.fgsm_law import train
from stages.overlay import overlay
from stages.s_eval import answer
from stages.s_eval import build as s_eval
from stages.s_eval import score as judges
from stages.speech import build as speech
from stages.transaudio import attack as transaudio
from stages.transaudio import score as victims
from stages.wapat import pretrain
from stages.wapat import score as wapat
from stages.wapat import train as recognizer

ROOT = Path(__file__).resolve().parents[1]
CLASSES = {"cifar10": 10, "cifar100": 100, "tiny_imagenet": 200, "imagenet": 1000}


def applied(name: str) -> dict:
    return yaml.safe_load(overlay(ROOT / "params.yaml", ROOT / "params" / f"{name}.yaml"))


DEFAULT = yaml.safe_load((ROOT / "params.yaml").read_text())
FULL = applied("full")
NAMES = FULL["fgsm_law"]["variants"]
TRAINED = {name: train.Params(**FULL["fgsm_law"]["train"][name]) for name in NAMES}


@pytest.mark.parametrize("name", ["full", "iap_face_long", "reduced"])
def test_every_stage_takes_them(name):
    check_params(applied(name))


@pytest.mark.parametrize("name", [None, "full", "reduced"])
def test_what_is_trained_is_scored_and_attacked(name):
    values = applied(name) if name else DEFAULT
    trained = values["fgsm_law"]["variants"]
    assert trained == (NAMES if name == "full" else DEFAULT["fgsm_law"]["variants"])
    assert values["fgsm_law"]["score"]["variants"] == trained
    assert values["ares_bench"]["attack"]["variants"] == trained


def test_what_is_new_is_run_and_once():
    assert sorted(NAMES) == sorted(FULL["fgsm_law"]["train"].keys() - DEFAULT["fgsm_law"]["train"].keys())


def test_all_methods_are_trained_on_cifar10():
    found = [TRAINED[f"cifar10_{method}"].method for method in METHODS]
    assert found == list(METHODS)


@pytest.mark.parametrize("name", NAMES)
def test_network_and_method_fit(name):
    params = TRAINED[name]
    data = params.data.folder
    with torch.device("meta"):
        network = build(params.architecture, classes=CLASSES[data], settings=params.network)
    shape = (3, 64, 64) if data == "tiny_imagenet" else (3, 32, 32)
    setting = Setting(params.eps, CLASSES[data], 512, shape, params.epochs, 4, "cpu")
    build_method(params.method, params.settings).begin(torch.nn.Linear(1, 1), setting, torch.Generator())
    assert network(torch.zeros(2, *shape, device="meta")).shape == (2, CLASSES[data])
    assert data in FULL["raw"]["folder"]["folders"]


@pytest.mark.parametrize(
    ("name", "lam", "keep", "tau", "features"),
    [
        ("cifar10", 12.0, 0.7, 0.82, 512),
        ("cifar100", 42.0, 0.5, 0.55, 512),
        ("tiny_imagenet", 38.0, 0.3, 0.55, 2048),
    ],
)
def test_law_is_the_papers(name, lam, keep, tau, features):
    params = TRAINED[f"{name}_fgsm_law"]
    method = build_method(params.method, params.settings)
    assert (method.lam, method.keep, params.averaging.build().tau) == (lam, keep, tau)
    network = build(params.architecture, classes=CLASSES[name], settings=params.network)
    assert network.head.in_features == features


def test_the_55_have_their_weights():
    tests = attack.Params(**FULL["ares_bench"]["attack"]).tests
    named = tests["imagenet"].named
    assert list(named) == list(ARES_MODELS)
    assert all(one.model == f"ares:{name}" for name, one in named.items())
    assert {name for name, one in named.items() if one.checkpoint} == {
        name for name, model in ARES_MODELS.items() if model.checkpoint
    }
    assert {one.checkpoint for one in named.values()} - {None} <= FULL["raw"]["folder"]["folders"].keys()


def test_each_trained_model_has_its_test():
    """A model is tested where the data are the very same, so that nothing held out from it is trained on."""
    params = attack.Params(**FULL["ares_bench"]["attack"])
    assert {str(each.data) for each in TRAINED.values()} <= {str(test.data) for test in params.tests.values()}
    for test in params.tests.values():
        assert attack.plan_of(params, test).budgets["linf"][-1] == pytest.approx(test.largest["linf"])
    assert set(params.samples.models) <= {*NAMES, *ARES_MODELS}


def test_wapat_is_the_papers():
    trained = {name: recognizer.Params(**FULL["wapat"]["train"][name]) for name in FULL["wapat"]["variants"]}
    assert {each.method for each in trained.values()} == set(WAPAT_METHODS)
    for each in trained.values():
        assert (each.lr, each.batch_s, each.settings.steps, each.settings.alpha) == (1e-5, 100, 1, None)
    assert sorted(each.settings.eps for each in trained.values() if each.method == "wapat") == [0.005, 0.01, 0.015]
    assert wapat.Params(**FULL["wapat"]["score"]).variants == list(trained)
    start = pretrain.Params(**FULL["wapat"]["pretrain"])
    assert start.backbone.folder in FULL["raw"]["folder"]["folders"]
    assert start.epochs == 0


def test_wapats_mean_is_over_eight_domains_that_nothing_trains_on():
    corpora = speech.Params(**FULL["speech"]["build"]).corpora
    assert {each.folder for each in corpora.values()} <= FULL["raw"]["folder"]["folders"].keys()
    tested = {name: corpora[name].splits for name in wapat.Params(**FULL["wapat"]["score"]).domains}
    assert all("test" in splits for splits in tested.values())
    unseen = [name for name, splits in tested.items() if "train" not in splits]
    assert len(unseen) == 8
    for name in ("pretrain", "train"):
        values = FULL["wapat"][name]
        for one in [values] if name == "pretrain" else [values[each] for each in FULL["wapat"]["variants"]]:
            assert one["domains"] == ["librispeech"]
    assert {"train", "held_out"} <= tested["librispeech"].keys()


def test_transaudio_has_every_setting_and_victim():
    params = transaudio.Params(**FULL["transaudio"]["attack"])
    settings = {name: transaudio.setting_of(params, name) for name in params.settings}
    steps = {name: (settings[name].local_steps, settings[name].global_steps) for name in ("insert", "delete")}
    assert steps == {"insert": (100, 0), "delete": (50, 2)}
    assert (settings["substitute"].local_steps, settings["substitute"].global_steps) == (50, 25)
    assert {each.score_match for each in settings.values()} == {"none", "objective", "surrogate_ft"}
    assert params.surrogates == ["plain", "wapat", "whisper"]
    heard = victims.Params(**FULL["transaudio"]["score"]).victims
    assert {*heard} - {"whisper", "pocketsphinx"} <= set(FULL["wapat"]["variants"])
    assert set(heard.values()) == {None}


def test_the_official_prompts_go_to_every_victim_and_to_two_judges():
    official = s_eval.Params(**FULL["s_eval"]["build"]).official
    assert official.folder in FULL["raw"]["folder"]["folders"]
    assert official.attacks
    assert sorted(official.languages) == ["en", "zh"]
    victims = {name: answer.Params(**FULL["s_eval"]["answer"][name]) for name in FULL["s_eval"]["victims"]}
    assert all(each.attacks is None and each.max_tokens >= 512 and each.temperature == 0 for each in victims.values())
    scored = judges.Params(**FULL["s_eval"]["score"])
    assert scored.victims == list(victims)
    assert scored.judges
