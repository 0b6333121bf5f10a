"""dvc.yaml, params.yaml and the modules of stages/ hold each other."""

import subprocess
import sys

import pytest
import yaml

from stages.contract import contract, names
from tests.pipeline_deps import PROTOCOL, ROOT, Stage, code, dvc_stages, faults, imports, unused

VALUES = yaml.safe_load((ROOT / "params.yaml").read_text())
FOLDER = Stage(
    name="raw-folder",
    cmd="python -m stages raw.folder --folders data/raw/folders.json",
    deps=("stages/raw/folder.py",),
    params=("raw.folder",),
    outs=("data/raw/folders.json",),
)
LOADED = """
import importlib, sys
from pathlib import Path
importlib.import_module("stages." + sys.argv[1])
root = Path.cwd()
files = [Path(getattr(module, "__file__", None) or "/").resolve() for module in list(sys.modules.values())]
print(*sorted(file.relative_to(root) for file in files if file.is_relative_to(root)), sep="\\n")
"""


def test_dvc_yaml_fits_modules_and_params():
    stages = dvc_stages()
    found = {stage.name: lines for stage in stages if (lines := faults(stage, VALUES))}
    assert not found, "dvc.yaml:\n" + yaml.safe_dump(found, width=200)
    assert not unused(stages, VALUES)


@pytest.mark.parametrize("name", names())
def test_contract_can_be_read(name):
    assert contract(name).outputs, "a stage without an output"


def test_a_right_stage_has_no_fault():
    assert faults(FOLDER, VALUES) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"name": "raw-floder"}, "there is no stages.raw.floder"),
        ({"name": "raw-folder@x"}, "the name must end in @"),
        ({"cmd": "python -m stages raw.npm --folders x"}, "cmd must be `python -m stages raw.folder"),
        ({"cmd": "python -m stages raw.folder"}, "cmd lacks    --folders"),
        ({"cmd": FOLDER.cmd + " --model x"}, "cmd has too much    --model"),
        ({"deps": ()}, "deps lack    - stages/raw/folder.py"),
        ({"deps": (*FOLDER.deps, "stages/coco_files.py")}, "deps have too much    - stages/coco_files.py"),
        ({"deps": (*FOLDER.deps, "data/raw/x.tar")}, "deps have too much    - data/raw/x.tar"),
        ({"outs": ()}, "outs or metrics lack    - data/raw/folders.json"),
        ({"outs": (*FOLDER.outs, "data/y")}, "outs or metrics have too much    - data/y"),
        ({"params": ()}, "params lack    - raw.folder"),
        ({"params": ("raw.folder", "raw.npm")}, "params have too much    - raw.npm"),
    ],
)
def test_each_fault_is_named(change, line):
    assert any(line in found for found in faults(FOLDER._replace(**change), VALUES))


def test_variant_has_its_own_part_of_params():
    stage = Stage(
        name="raw-npm@noto",
        cmd="python -m stages raw.npm --source noto --archive data/raw/noto.tar",
        deps=("stages/raw",),
        params=("raw.npm.noto",),
        outs=("data/raw/noto.tar",),
    )
    assert faults(stage, VALUES) == []
    wrong = stage._replace(name="raw-npm@nono", cmd=stage.cmd.replace("noto", "nono"), outs=("data/raw/nono.tar",))
    assert any("lacks a part for 'nono'" in line for line in faults(wrong, VALUES))


@pytest.mark.parametrize("name", ["raw.folder", "objects.backgrounds"])
def test_code_is_what_python_loads(name):
    found = subprocess.run([sys.executable, "-c", LOADED, name], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {file for file in found.stdout.split() if file.startswith(("gauntlet/", "stages/"))} - PROTOCOL
    loaded = {file for file in loaded if not file.endswith("__init__.py")}
    assert loaded == {file for file in code(name).needed if file.endswith(".py")}


def test_files_read_beside_a_module_are_code():
    assert "stages/objects/categories.yaml" in code("objects.build").needed


def test_imports_inside_functions_are_lazy(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.pipeline_deps.ROOT", tmp_path)
    for name in ("a", "b", "toy"):
        (tmp_path / "gauntlet").mkdir(exist_ok=True)
        (tmp_path / f"gauntlet/{name}.py").write_text("")
    (tmp_path / "gauntlet/toy.py").write_text("import gauntlet.a\n\ndef f():\n    from gauntlet import b\n")
    assert dict(imports("gauntlet/toy.py")) == {"gauntlet/a.py": False, "gauntlet/b.py": True}
