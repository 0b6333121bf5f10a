"""The layers hold: flows may import stages, stages may import gauntlet, and never the other way round."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = {
    "gauntlet": {"stages", "flows", "tests", "benchmarks", "dvc", "prefect", "yaml", "argparse", "pickle", "dill"},
    "stages": {"flows", "tests", "benchmarks", "prefect", "dvc", "pickle", "dill"},
    "flows": {"tests", "benchmarks", "pickle", "dill"},
}
SEEDS = re.compile(r"(torch|np|numpy)(\.cuda|\.random)?\.(manual_seed|manual_seed_all|seed|set_state)|random\.seed")
SEEDERS = {"gauntlet/training/state.py", "stages/training.py"}
"""Where torch's global generator is lent, inside `fork_rng` alone: its own layers and samplers know no other."""

ABOVE = {"audit": {"summary", "coco_o"}}
"""What is no stage but a command above them: the audit scores as they do and draws as the report does."""

READERS = {"open", "read_text", "read_bytes", "imread", "read_parquet", "read_csv"}
WRITERS = {"write_text", "write_bytes", "imwrite", "to_parquet", "to_csv", "mkdir", "unlink", "rmtree"}
FILES = [file for package in FORBIDDEN for file in sorted((ROOT / package).rglob("*.py"))]


def place(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), place(file))


def modules(node: ast.AST) -> list[str]:
    """List what the import statements below a node name."""
    found = []
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            found += [alias.name for alias in each.names]
        elif isinstance(each, ast.ImportFrom):
            assert not each.level, "relative imports hide the layer"
            found += [each.module, *(f"{each.module}.{alias.name}" for alias in each.names)]
    return found


def calls(node: ast.AST) -> list[ast.Call]:
    return [each for each in ast.walk(node) if isinstance(each, ast.Call)]


def wrong_imports(file: Path) -> list[str]:
    """List the imports of a file that its layer forbids."""
    layer, *inside = file.relative_to(ROOT).parts
    found = [name for name in modules(tree(file)) if name.partition(".")[0] in FORBIDDEN[layer]]
    if layer == "stages":
        own = inside[0] if len(inside) > 1 else None
        for name in modules(tree(file)):
            words = name.split(".")
            foreign = words[0] == "stages" and len(words) > 1 and (ROOT / "stages" / words[1]).is_dir()
            found += [name] if foreign and words[1] not in {own, *ABOVE.get(own, ())} else []
    return found


@pytest.mark.parametrize("file", FILES, ids=place)
def test_imports_go_one_way(file):
    assert wrong_imports(file) == []


def test_a_wrong_import_is_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    for name, text in {
        "gauntlet/a.py": "def f():\n    from stages.files import write_json\n",
        "gauntlet/b.py": "import yaml.loader\n",
        "stages/one/c.py": "from stages.two import d\nfrom stages.one import e\nfrom stages import Out\n",
        "stages/two/d.py": "import prefect\nfrom stages.files import x\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = {place(file): wrong_imports(file) for file in sorted(tmp_path.rglob("*.py"))}
    assert found == {
        "gauntlet/a.py": ["stages.files", "stages.files.write_json"],
        "gauntlet/b.py": ["yaml.loader"],
        "stages/one/c.py": ["stages.two", "stages.two.d"],
        "stages/two/d.py": ["prefect"],
    }


@pytest.mark.parametrize("file", [file for file in FILES if place(file).startswith("gauntlet")], ids=place)
def test_the_library_is_quiet_and_writes_nothing(file):
    for call in calls(tree(file)):
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        assert name not in {"print", "input", "breakpoint"} | WRITERS, f"line {call.lineno}: {name}"
        if not place(file).startswith("gauntlet/readers/"):
            of_path = name != "open" or "Image" not in ast.unparse(call.func)
            assert name not in READERS or not of_path, f"line {call.lineno}: only readers/ opens files: {name}"


@pytest.mark.parametrize("file", FILES, ids=place)
def test_no_global_seed_and_no_pickle(file):
    for call in calls(tree(file)):
        text = ast.unparse(call.func)
        if SEEDS.fullmatch(text):
            assert place(file) in SEEDERS, f"line {call.lineno}: {text}: take a generator"
        if text == "torch.load":
            safe = {word.arg: ast.unparse(word.value) for word in call.keywords}.get("weights_only")
            assert safe == "True", f"line {call.lineno}: torch.load needs weights_only=True"
        if text in {"np.load", "numpy.load"}:
            assert "allow_pickle=True" not in ast.unparse(call), f"line {call.lineno}"
    assert not re.search(r"\.(read_pickle|to_pickle)\(", file.read_text())


def test_seeders_lend_inside_fork_rng():
    for name in SEEDERS:
        lent = [
            ast.unparse(node)
            for node in ast.walk(tree(ROOT / name))
            if isinstance(node, ast.With) and "fork_rng" in ast.unparse(node.items[0])
        ]
        assert (ROOT / name).read_text().count("torch.manual_seed(") == sum(t.count("torch.manual_seed(") for t in lent)


def test_heavy_packages_stay_inside_functions():
    """So that attacks and training run on a machine that has torch, numpy and pillow alone."""
    heavy = {"transformers", "diffusers", "albumentations", "timm", "dvc", "prefect", "resvg_py"}
    for file in FILES:
        if not place(file).startswith("flows"):
            tops = [node for node in tree(file).body if isinstance(node, ast.Import | ast.ImportFrom)]
            loaded = {name.partition(".")[0] for node in tops for name in modules(node)}
            assert not loaded & heavy, f"{place(file)}: {loaded & heavy}"


@pytest.mark.parametrize("file", FILES, ids=place)
def test_house_style(file):
    lines = file.read_text().splitlines()
    assert len(lines) <= 300, f"{len(lines)} lines; split the file"
    assert file.stem not in {"utils", "helpers", "common", "base"}
    parsed = tree(file)
    assert ast.get_docstring(parsed), "a module says what it is for"
    for node in ast.walk(parsed):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            limit = 90 if node.name.startswith("train_") else 50
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            assert length <= limit, f"{node.name}: {length} lines of code"
            places = [each for each in node.args.posonlyargs + node.args.args if each.arg not in ("self", "cls")]
            assert len(places) <= 3, f"{node.name}: more than three positional arguments"
