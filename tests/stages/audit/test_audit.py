"""The card says what the suites found; nothing bad is written; nothing is overwritten."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gauntlet.attacks.survival import right_in_batches
from gauntlet.metrics.imagenet_e import CONTROL
from gauntlet.readers.classification import read_images
from gauntlet.readers.datasets import read_dataset
from gauntlet.suites import SUITES, Outcomes, summary
from gauntlet.suites.classifier import corrupted, pixels
from gauntlet.suites.outcomes import merged
from stages.audit.battery import plan_of
from stages.audit.request import Request, check_out
from stages.audit.subject import open_subject
from stages.audit.weakest import corrupted_by, worst_corruptions
from stages.files import write_json
from stages.labelled import some
from tests.fixtures.classification import ColourClassifier
from tests.stages.audit.conftest import COUNT, write_edits

COLOUR = "audited_models:colour"
QUICK = ("--suites", "curves,corruptions")


def card(name: str = "audited_models-colour") -> dict:
    return json.loads(Path(f"data/audits/{name}/card.json").read_text())


def test_the_card_holds_what_the_suites_find(audit):
    suites = ("curves", "steps", "frequency", "corruptions")  # the others look for masked gradients, which takes long
    assert audit(COLOUR, "--images", "4", "--suites", ",".join(suites))[0] == 0
    found, request = card(), Request(COLOUR, images=4)
    pictures = some(read_dataset("objects", Path("data/built/objects32"), "test"), 4, seed=0)
    x, y = pictures.tensors()
    model, plan = ColourClassifier(), plan_of(request, open_subject(request))
    clean = right_in_batches(model, pixels(x), y, batch=COUNT).numpy()
    outcomes = merged([Outcomes({"clean": clean}), *(SUITES[name](model, x, y, plan=plan) for name in suites)])
    expected = json.loads(json.dumps(summary(outcomes, plan=plan)))
    assert {key: found["results"][key] for key in expected} == expected
    assert found["results"]["rates"]["corruption/fog/3"]["value"] == outcomes.values["corruption/fog/3"].mean()
    assert found["data"]["n"] == 4
    assert found["data"]["name"] == "objects32"
    assert found["eps"] == 8 / 255
    assert set(found["left_out"]) == {"attacks", "defences", "imagenet_e", "coco_o"}
    least = min(min(row) for row in expected["corruptions"].values())
    assert found["weakest"]["corruption"]["top1"] == least


def test_the_same_audit_gives_the_same_bytes(audit):
    audit(COLOUR, *QUICK)
    first = {file.name: file.read_bytes() for file in Path("data/audits/audited_models-colour").glob("card.*")}
    assert set(first) == {"card.json", "card.html"}
    audit(COLOUR, *QUICK, "--out", "elsewhere")
    assert {file.name: file.read_bytes() for file in Path("elsewhere").glob("card.*")} == first


def test_nothing_breaks_a_constant_model(audit):
    code, lines = audit("audited_models:constant", "--suites", "curves,steps,attacks,frequency,corruptions")
    assert code == 0, lines
    results = card("audited_models-constant")["results"]
    clean = results["clean"]["value"]
    assert clean == pytest.approx(1 / 3)
    assert {rate["value"] for rate in results["rates"].values()} == {clean}
    assert set(results["curves"]["linf"]["robust_top1"]) == {clean} == set(results["curves"]["l2"]["robust_top1"])
    assert results["area_linf"]["value"] == pytest.approx(clean)
    said = " ".join(card("audited_models-constant")["flags"])
    assert "not above guessing among 3 classes" in said
    assert "gradient" in said


def test_images_and_seed_choose_the_pictures(audit):
    audit(COLOUR, "--suites", "frequency", "--images", "6", "--seed", "3")
    found = card()
    assert (found["data"]["n"], found["data"]["of"], found["seed"]) == (6, COUNT, 3)
    assert found["left_out"]["curves"] == "not asked for"
    audit(COLOUR, "--suites", "frequency", "--images", "6", "--seed", "4")
    assert card()["data"]["pictures_sha256"] != found["data"]["pictures_sha256"]


BAD = {
    "eps in 255ths": (78, [COLOUR, "--eps", "8"], "eps must lie in (0, 1] (8/255, not 8); got 8"),
    "eps in words": (78, [COLOUR, "--eps", "large"], "--eps must be a number or a fraction"),
    "probabilities": (78, ["audited_models:probabilities"], "rows are probabilities"),
    "NaN": (78, ["audited_models:nans"], "logits must be finite; 12 of 12"),
    "classes": (78, ["audited_models:four"], "must have objects32's 3 classes; it has 4"),
    "two outputs": (78, ["audited_models:pair"], "one logit a class for each picture; got tuple"),
    "grey": (78, ["audited_models:grey"], "must take pictures of 3 x 32 x 32"),
    "pickle": (65, ["gauntlet:convnet", "--checkpoint", "evil.pt"], "evil.pt"),
    "checkpoint": (65, ["gauntlet:convnet", "--checkpoint", "none.pt"], "none.pt must exist"),
    "unknown model": (78, ["torchvision:resnet5", "--data", "objects32"], "none named 'resnet5'"),
    "own classes": (78, ["torchvision:resnet18"], "must get --data FOLDER"),
    "no folder": (65, ["data/models/none"], "data/models/none must be a model folder"),
    "no family": (78, ["resnet50"], "named family:name"),
    "no package": (69, ["no_such_package:f"], "no_such_package"),
    "no function": (78, ["audited_models:colours"], "must define colours"),
    "no data folder": (65, [COLOUR, "--data", "data/none"], "data/none must exist"),
    "misspelt data": (78, [COLOUR, "--data", "objects23"], "did you mean 'objects32'?"),
    "not built": (65, [COLOUR, "--data", "digits"], "data/raw/digits.tar must exist"),
    "unknown suite": (78, [COLOUR, "--suites", "curvs"], "did you mean 'curves'?"),
    "no suite": (78, [COLOUR, "--suites", ""], "suites must be among"),
    "no suite fits": (78, [COLOUR, "--suites", "coco_o"], "none of those asked for does: coco_o: tries detectors"),
    "no detector": (78, [COLOUR, "--data", "coco_o"], "must be a detector"),
    "images": (78, [COLOUR, "--images", "many"], "--images must be a whole number"),
    "no image": (78, [COLOUR, "--images", "0"], "images must be at least 1"),
    "setting": (78, [COLOUR, "--set", "width"], "--set must be NAME=VALUE"),
    "unknown setting": (78, [COLOUR, "--set", "width=3"], "unexpected keyword argument 'width'"),
    "unknown flag": (78, [COLOUR, "--wat"], "--wat"),
    "tracked": (78, [COLOUR, "--out", "data/models/mine"], "outside what the stages write"),
    "16 bits": (65, [COLOUR, "--data", "deep"], "must have 8 bits a channel"),
}


class Code:
    """What runs when a careless reader loads the pickle."""

    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize(("code", "words", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_leaves_all_as_it_was(audit, code, words, said):
    earlier = Path("data/audits") / Request(words[0]).name / "card.json"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("{}")
    torch.save({"weight": Code()}, "evil.pt")
    for name in ("banana", "bus"):
        Path("deep", name).mkdir(parents=True)
        Image.fromarray(np.full((40, 40), 60000, np.uint16)).save(f"deep/{name}/0.png")
    got, lines = audit(*words)
    assert got == code
    assert said in lines[-1]
    assert lines[-1].startswith("audit: ")
    assert not any("Traceback" in line for line in lines)
    assert earlier.read_text() == "{}"
    assert not Path("ran").exists()
    assert not Path("data/models").exists()
    assert [path.name for path in earlier.parent.parent.iterdir()] == [earlier.parent.name]


def test_an_output_folder_must_be_its_own(root):
    (root / "mine").mkdir()
    (root / "mine/thesis.txt").write_text("years")
    for place in ("mine", ".", "data", "data/scores/x", "..", "mine/thesis.txt"):
        with pytest.raises(ValueError, match="--out must"):
            check_out(Path(place))
    (root / "mine/card.json").write_text("{}")
    for place in ("mine", "new", "data/audits/new"):
        check_out(Path(place))


def test_a_folder_of_class_folders(audit):
    images = read_images(Path("data/built/objects32"), "test")
    for place, (x, label) in enumerate(zip(images.x, images.labels, strict=True)):
        folder = Path("pictures", images.class_names[label])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x).save(folder / f"{place}.png")
    assert audit(COLOUR, *QUICK)[0] == 0
    built = card()["results"]
    assert audit(COLOUR, *QUICK, "--data", "pictures")[0] == 0
    assert card()["data"] | {"pictures_sha256": ""} == {
        "name": "pictures", "place": "pictures", "md5": None, "pictures_sha256": "", "n": COUNT, "of": COUNT,
        "shape": [3, 32, 32], "seed": 0,
    }  # fmt: skip
    assert card()["results"]["clean"] == built["clean"]
    assert card()["results"]["curves"] == built["curves"]  # sorted by class now, which must not matter


def test_a_model_folder_brings_its_classes_and_the_budget_it_was_trained_against(audit):
    from safetensors.torch import save_file

    from gauntlet.models.registry import build

    settings, classes = {"width": 4, "input_px": 32}, ["whale", "bus", "banana"]
    network = build("gauntlet:convnet", classes=3, settings=settings)
    folder = Path("data/models/fgsm_law/mine")
    folder.mkdir(parents=True)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    about = {"method": "fgsm_law", "eps": 0.0625, "data": {"layout": "objects"}}
    write_json(
        folder / "model.json", {"architecture": "gauntlet:convnet", "classes": classes, "settings": settings} | about
    )
    assert audit(str(folder), "--suites", "steps")[0] == 0
    found = card("fgsm_law-mine")
    assert found["eps"] == 0.0625 == found["results"]["steps"]["eps"]
    assert found["model"]["trained"] == {"method": "fgsm_law", "eps": 0.0625}
    pictures = read_dataset("objects", Path("data/built/objects32"), "test")
    x, y = pictures.tensors()
    places = torch.tensor([classes.index(name) for name in pictures.class_names])
    clean = right_in_batches(network.eval(), pixels(x), places[y], batch=COUNT).float().mean()
    assert found["results"]["clean"]["value"] == pytest.approx(float(clean))
    header = {"architecture": "gauntlet:convnet", "settings": json.dumps(settings)}
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(weights, "alone.safetensors", metadata=header)
    assert audit("alone.safetensors", "--suites", "frequency")[0] == 0
    assert card("alone.safetensors")["model"]["classes"] == pictures.class_names
    checkpoint = ("gauntlet:convnet", "--set", "width=4", "--set", "input_px=32")
    assert audit(*checkpoint, "--checkpoint", str(folder / "model.safetensors"), "--suites", "frequency")[0] == 0
    again = card("gauntlet-convnet-model")["model"]
    assert again["weights_sha256"] == found["model"]["weights_sha256"]
    assert again["checkpoint_sha256"]


def test_corruptions_are_shown_as_they_were_tried(root):
    request = Request(COLOUR)
    subject = open_subject(request)
    plan = replace(plan_of(request, subject), corruptions=("gaussian_noise", "fog", "contrast"))
    made = corrupted(subject.pictures, plan=plan)
    for key in ("corruption/fog/2", "corruption/contrast/5"):
        assert torch.equal(corrupted_by(key, subject.pictures, plan=plan), made[key])


def test_the_worst_corruptions_are_each_named_once():
    rates = {"a/1": 0.9, "a/5": 0.1, "b/1": 0.2, "b/2": 0.3, "c/4": 0.8, "d/5": 0.7}
    values = {f"corruption/{key}": np.arange(10) < 10 * rate for key, rate in rates.items()}
    assert worst_corruptions(Outcomes(values)) == ["corruption/a/5", "corruption/b/1", "corruption/d/5"]


def test_imagenet_e_counts_what_an_edit_loses(audit, root):
    write_edits(root, changed="position")
    assert audit("audited_models:colour", "--suites", "imagenet_e,frequency")[0] == 0
    table = card()["imagenet_e"]
    rates = {}
    for folder in (root / "data/built/imagenet_e", root / "other"):
        images = read_images(folder, "original")
        x = pixels(torch.from_numpy(images.x).permute(0, 3, 1, 2))
        rates[folder.name] = float((ColourClassifier()(x).argmax(1).numpy() == images.labels).mean())
    assert table["original"]["top1"]["value"] == rates["imagenet_e"]
    assert table["settings"]["position"]["top1"]["value"] == rates["other"]
    assert {drop["drop"]["value"] for name, drop in table["settings"].items() if name != "position"} == {0.0}
    assert table["mean_drop"]["value"] == pytest.approx((rates["imagenet_e"] - rates["other"]) / 10)
    assert CONTROL in table["settings"]
    assert len(table["settings"]) == 11


def test_a_detector_is_scored_on_coco_o_alone(audit):
    code, lines = audit("audited_models:finder", "--data", "coco_o")
    assert code == 0, lines
    found = card("audited_models-finder")
    results = found["coco_o"]["results"]
    assert results["source"]["ap"]["value"] > 0.9  # JPEG blurs the edges of some discs by a pixel
    assert len(results["domains"]) == 6
    assert found["weakest"]["domain"]["name"] == results["worst_domain"]
    assert set(found["left_out"]) == {*SUITES, "imagenet_e"}
    assert found["results"] is None
    gallery = json.loads(Path("data/audits/audited_models-finder/samples/domains/gallery.json").read_text())
    assert gallery["rows"][0]["caption"].startswith(results["worst_domain"])
    code, lines = audit("audited_models:finder", "--data", "coco_o", "--suites", "curves")
    assert code == 78
    assert "tries classifiers" in lines[-1]
