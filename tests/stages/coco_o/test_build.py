import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle
from pydantic import ValidationError

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.detection import Evaluation
from gauntlet.readers.coco import DOMAINS, read_coco, read_coco_o, read_results
from stages.coco_o import build as stage
from stages.coco_o.domains import DOMAINS as MAKERS
from tests.fixtures.coco import true_results, write_coco
from tests.fixtures.objects import write_backgrounds, write_objects
from tests.stages.coco_o.conftest import BUILD


def instances(folder, domain):
    return json.loads((folder / domain / "annotations" / "instances_val2017.json").read_text())


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def pixels(folder, domain, name="000000000001.jpg"):
    return np.asarray(Image.open(folder / domain / "val2017" / name)).astype(int)


def test_the_domains_are_those_of_the_reader():
    assert tuple(MAKERS) == DOMAINS


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_layout_is_official_and_ids_are_the_sources(shifted, sources, domain):
    source = json.loads((sources / "scenes/annotations/instances_test2017.json").read_text())
    built = instances(shifted, domain)
    assert built["categories"] == source["categories"]
    plain = [{key: image[key] for key in ("id", "file_name", "width", "height")} for image in built["images"]]
    assert plain == source["images"]
    assert [each["id"] for each in built["annotations"]] == [each["id"] for each in source["annotations"]]
    assert {path.name for path in (shifted / domain / "val2017").iterdir()} == {i["file_name"] for i in plain}
    assert built["info"]["domain"] == domain
    assert (built["info"]["seed"], built["info"]["source"]) == (5, "scenes")
    assert all(2 <= image["severity"] <= 3 for image in built["images"])


@pytest.mark.parametrize("domain", DOMAINS)
def test_truth_fed_back_has_an_ap_of_one(shifted, domain, tmp_path):
    path = shifted / domain / "annotations" / "instances_val2017.json"
    (tmp_path / "results.json").write_text(json.dumps(true_results(path)))
    truth = read_coco_o(shifted)[domain].truth
    assert Evaluation(truth, read_results(tmp_path / "results.json", truth)).score().ap == pytest.approx(1)


@pytest.mark.parametrize("domain", ["weather", "painting", "tattoo", "handmake"])
def test_a_rendered_domain_keeps_the_annotations_and_changes_the_picture(shifted, sources, domain):
    source = json.loads((sources / "scenes/annotations/instances_test2017.json").read_text())
    assert instances(shifted, domain)["annotations"] == source["annotations"]
    original = np.asarray(Image.open(sources / "scenes/test2017/000000000001.jpg")).astype(int)
    assert np.abs(pixels(shifted, domain) - original).mean() > 3


@pytest.mark.parametrize("domain", ["sketch", "cartoon"])
def test_a_drawn_domain_draws_the_same_class_into_each_box(shifted, sources, domain):
    source = read_coco(sources / "scenes", split="test2017").truth
    for old, category, new in zip(
        source.boxes_xywh, source.category_id, instances(shifted, domain)["annotations"], strict=True
    ):
        left, top, width, height = new["bbox"]
        assert np.greater_equal([left, top], old[:2] - 1).all()
        assert np.less_equal([left + width, top + height], old[:2] + old[2:] + 1).all()
        assert max(width / old[2], height / old[3]) > 0.7
        assert new["category_id"] == category
        assert f"-{source.categories[int(category)]}-" in new["object"]
        assert new["licence"] == "CC-BY-SA-4.0"
        assert rle.area(new["segmentation"]) == new["area"] >= 16
        assert rle.toBbox(new["segmentation"]).tolist() == new["bbox"]


def test_a_cartoon_names_its_background(shifted):
    image = instances(shifted, "cartoon")["images"][0]
    assert (image["background"][:5], image["background_licence"]) == ("test-", "CC-BY-SA-4.0")


def test_weather_takes_turns(shifted):
    assert [image["how"] for image in instances(shifted, "weather")["images"]] == ["fog", "snow", "fog"]


def test_the_gallery_shows_each_domain_beside_the_original(shifted):
    rows = json.loads((shifted / "samples" / "gallery.json").read_text())["rows"]
    assert len(rows) == 2
    assert [image["label"] for image in rows[0]["images"]] == ["original", *DOMAINS]
    assert all((shifted / "samples" / image["file"]).is_file() for row in rows for image in row["images"])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_two_workers_write_the_same_bytes(build, shifted, tmp_path):
    assert digests(build(tmp_path / "again", workers=2)) == digests(shifted)


def test_another_seed_changes_every_domain(build, shifted, tmp_path):
    again = build(tmp_path / "again", seed=6, images=1)
    for domain in DOMAINS:
        assert (pixels(again, domain) != pixels(shifted, domain)).any()


def test_a_severity_changes_its_own_domain_alone(build, shifted, tmp_path):
    again = digests(build(tmp_path / "again", severity=BUILD["severity"] | {"painting": (5, 5)}))
    moved = {name.split("/")[0] for name, digest in digests(shifted).items() if again[name] != digest}
    assert moved == {"painting", "samples"}


def test_fewer_images_are_the_first_ones(build, shifted, tmp_path):
    few = digests(build(tmp_path / "few", images=2, samples=0))
    everything = digests(shifted)
    assert {name for name in few if name.endswith(".jpg")} == {
        f"{domain}/val2017/00000000000{n}.jpg" for domain in DOMAINS for n in (1, 2)
    }
    assert all(everything[name] == digest for name, digest in few.items() if name.endswith(".jpg"))


def test_a_class_without_drawings_falls_back_for_its_images(build, sources, tmp_path):
    objects = write_objects(tmp_path / "objects", without=("elephant", "outline"))
    built = build(tmp_path / "built", paths={"objects": objects})
    source = read_coco(sources / "scenes", split="test2017").truth
    bare = set(source.image_id[source.category_id == 22].tolist())
    how = {image["id"]: image["how"] for image in instances(built, "sketch")["images"]}
    assert bare
    assert how == {i: "pencil" if i in bare else "drawn" for i in how}
    assert instances(built, "sketch")["info"]["images_by_how"]["pencil"] == len(bare)
    assert instances(built, "cartoon")["info"]["images_by_how"] == {"drawn": 3}
    kept = [each for each in instances(built, "sketch")["annotations"] if each["image_id"] in bare]
    assert kept
    assert all("object" not in each for each in kept)


def test_an_image_with_a_crowd_is_not_drawn(build, changed_scenes, tmp_path):
    scenes = changed_scenes(lambda content: content["annotations"][0].update(iscrowd=1))
    built = build(tmp_path / "built", paths={"scenes": scenes}, images=1)
    assert instances(built, "cartoon")["info"]["images_by_how"] == {"cel_shade": 1}


def test_a_folder_of_the_users_is_shifted_too(build, tmp_path):
    """PNG files, polygons, boxes alone, an annotation that names its cut-out, COCO's default split."""
    write_coco(tmp_path / "mine", images=2)
    path = tmp_path / "mine/annotations/instances_val2017.json"
    content = json.loads(path.read_text())
    for image in content["images"]:
        old = tmp_path / "mine/val2017" / image["file_name"]
        image["file_name"] = image["file_name"].replace(".jpg", ".png")
        Image.open(old).save(old.with_suffix(".png"))
    x, y, width, height = content["annotations"][0]["bbox"]
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    content["annotations"][0] |= {"segmentation": [corners], "object": "stamps-photo-bus-0"}
    del content["annotations"][1]["segmentation"]
    path.write_text(json.dumps(content))
    (tmp_path / "folders.json").write_text(json.dumps({"mine": {"path": str(tmp_path / "mine")}}))
    built = build(tmp_path / "built", paths={"folders": tmp_path / "folders.json"}, source="mine", split="val2017")
    tattoo = instances(built, "tattoo")
    assert tattoo["info"]["source"] == "mine"
    assert [image["file_name"][-4:] for image in tattoo["images"]] == [".jpg", ".jpg"]
    assert [image["how"] for image in tattoo["images"]] == ["inked", "inked whole"]
    assert tattoo["annotations"][0]["licence"] == "MIT"


def test_boxes_over_the_edge_are_refused_or_clipped_and_counted(build, changed_scenes, tmp_path):
    def spoil(content):
        content["annotations"][0]["bbox"] = [50.0, 50.0, 40.0, 10.0]
        content["annotations"][1]["bbox"] = [5.0, 5.0, 0.0, 10.0]

    paths = {"scenes": changed_scenes(spoil)}
    with pytest.raises(DataError, match=r"annotations\[0\] \(id 1\): the box must lie in its image of 64 x 64"):
        build(tmp_path / "refused", paths=paths)
    built = build(tmp_path / "clipped", paths=paths, outside="clip")
    info = instances(built, "weather")["info"]
    assert info["boxes_mended"] == {"clipped": 1, "without_size": 1, "left_out": 1}
    assert instances(built, "weather")["annotations"][0]["bbox"] == [50, 50, 14, 10]


def test_a_truncated_image_is_named(build, changed_scenes, tmp_path):
    scenes = changed_scenes(lambda content: None)
    image = scenes / "test2017" / "000000000002.jpg"
    image.write_bytes(image.read_bytes()[:400])
    with pytest.raises(DataError, match=r"000000000002\.jpg: must be a whole image"):
        build(tmp_path / "built", paths={"scenes": scenes})


def test_images_too_small_to_shift_are_refused(build, changed_scenes, tmp_path):
    def shrink(content):
        content["images"][1]["width"] = 20
        content["annotations"] = []

    scenes = changed_scenes(shrink)
    with pytest.raises(DataError, match="at least 32 px; image id 2 is 20 x 64"):
        build(tmp_path / "small", paths={"scenes": scenes})


def test_two_names_that_differ_in_their_suffix_are_refused(build, changed_scenes, tmp_path):
    scenes = changed_scenes(lambda content: content["images"][1].update(file_name="000000000001.png"))
    Image.new("RGB", (64, 64)).save(scenes / "test2017" / "000000000001.png")
    with pytest.raises(DataError, match=r"all become \.jpg; 000000000001\.jpg comes twice"):
        build(tmp_path / "built", paths={"scenes": scenes})


def test_drawings_that_were_trained_on_are_refused(build, changed_scenes, tmp_path):
    scenes = changed_scenes(
        lambda content: content["annotations"][0].update(object="openmoji-flat-bus-1"), split="train2017"
    )
    with pytest.raises(ArgumentError, match=r"openmoji-flat-bus-1 of openmoji stands in .*instances_train2017"):
        build(tmp_path / "built", paths={"scenes": scenes})


def test_a_source_without_such_drawings_is_refused(build, tmp_path):
    drawn = BUILD["drawn"] | {"sketch": {"sources": ["openmojo"], "style": "outline"}}
    with pytest.raises(ArgumentError, match="openmojo has none in outline; misspelt"):
        build(tmp_path / "built", drawn=drawn)


def test_backgrounds_must_be_whole(build, tmp_path):
    with pytest.raises(DataError, match="of split 'tset'; got none; misspelt"):
        build(tmp_path / "built", background_split="tset")
    backgrounds = write_backgrounds(tmp_path / "backgrounds", count=2, listed=3)
    with pytest.raises(DataError, match="must hold 3 backgrounds; got 2; a partial pull"):
        build(tmp_path / "built", paths={"backgrounds": backgrounds})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"severity": BUILD["severity"] | {"sketch": (4, 2)}}, "least and the greatest severity"),
        ({"severity": BUILD["severity"] | {"sketch": (1, 6)}}, "less than or equal to 5"),
        ({"severity": BUILD["severity"] | {"handmade": (1, 2)}}, "handmade"),
        ({"weather": ["hail"]}, "'fog', 'rain', 'snow', 'frost' or 'spatter'"),
        ({"images": 0}, "greater than or equal to 1"),
    ],
)
def test_a_parameter_out_of_range_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        stage.Params(**(BUILD | change))
