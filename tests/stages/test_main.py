"""The door: exit codes, one line an error, outputs whole or as before."""

import json

import pytest

import stages.__main__ as door_module
from tests.stages.conftest import ARGUMENTS


def only_line(outcome):
    code, lines = outcome
    assert len(lines) == 1, lines
    return code, lines[0]


def test_a_good_run(toy, door):
    assert door() == (0, [])
    assert toy.copy.read_text() == "whole"
    assert toy.outputs() == {"out.txt", "notes", "notes/seed.txt"}
    cost = json.loads((toy.root / ".checkpoints/cost/toy.copy.json").read_text())
    assert cost["seconds"] >= 0
    assert cost["peak_memory_mib"] > 1


@pytest.mark.parametrize(
    ("fault", "code", "text"),
    [
        ("data", 65, "toy.copy: data/in.txt, row 3: must be a number; got x; a header?"),
        ("argument", 78, "toy.copy: eps must lie in [0, 1] (8/255, not 8); got 8"),
        ("away", 69, "toy.copy: the network must be there; it is not"),
        ("again", 75, "toy.copy: another run is at work"),
        ("full", 75, "the disk is full (data/out.txt)"),
        ("full library", 75, "the disk is full (while writing)"),
        ("memory", 75, "out of memory"),
        ("locked", 69, "data/in.txt must be open to this user"),
        ("package", 69, "the package timm must be installed"),
    ],
)
def test_each_failure_has_its_code_and_one_line(toy, door, fault, code, text):
    assert door()[0] == 0
    before = toy.outputs()
    toy.params(f"{{eps: 0, seed: 1, fault: {fault}}}")
    found, line = only_line(door())
    assert found == code
    assert text in line
    assert toy.copy.read_text() == "whole"
    assert (toy.notes / "seed.txt").read_text() == "0"
    assert toy.outputs() == before


def test_a_mistake_of_ours_shows_its_traceback(toy, door):
    toy.params("{eps: 0, seed: 1, fault: bug}")
    code, lines = door()
    assert code == 70
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "toy.copy: ZeroDivisionError: division by zero"
    assert toy.outputs() == set()


def test_an_output_that_was_not_written_moves_none(toy, door):
    toy.params("{eps: 0, seed: 1, fault: lost}")
    code, lines = door()
    assert code == 70
    assert "data/built/out.txt was not written" in lines[-1]
    assert toy.outputs() == set()


@pytest.mark.parametrize(
    ("params", "texts"),
    [
        ("{eps: 8, seed: 0}", ["toy.copy: eps: must lie in [0, 1] (8/255, not 8); got 8;"]),
        ("{eps: .nan, seed: 0}", ["must lie in [0, 1]"]),
        ("{eps: 8/0, seed: 0}", ["must be a number or a fraction such as 8/255; got '8/0'"]),
        ("{eps: small, seed: 0}", ["must be a number or a fraction such as 8/255; got 'small'"]),
        ("{eps: true, seed: 0}", ["must be a number or a fraction such as 8/255; got True"]),
        (
            "{eps: 0, sede: 0}",
            ["sede is not a parameter", "did you mean 'seed'?", "seed is missing", "known keys:"],
        ),
        ("{eps: 0, seed: x}", ["seed: ", "got 'x'"]),
        ("", ["toy.copy: must be a section ({} where it is empty); got None"]),
        ("[1]", ["toy.copy: must be a section"]),
    ],
)
def test_bad_parameters(toy, door, params, texts):
    toy.params(params)
    code, line = only_line(door())
    assert code == 78
    assert "params.yaml" in line
    for text in texts:
        assert text in line
    assert not toy.copy.exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            "toi: {copy: {}}",
            "must have a section toy.copy; 'toy' is missing; misspelt or dropped?; did you mean",
        ),
        ("toy: {cpy: {}}", "'copy' is missing; misspelt or dropped?; did you mean 'cpy'?"),
        ("toy: 3", "must have a section toy.copy"),
        ("- a", "params.yaml must hold sections; got list"),
        ("toy: {copy: {eps: 0", "params.yaml must be YAML"),
        (None, "params.yaml must exist in the current folder"),
    ],
)
def test_bad_params_files(toy, door, content, text):
    path = toy.root / "params.yaml"
    path.unlink() if content is None else path.write_text(content)
    code, line = only_line(door())
    assert code == 78
    assert text in line


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["toy.coppy", *ARGUMENTS], "the stage must be one of toy.copy, toy.varied; got 'toy.coppy'; did you mean"),
        (["toy.copy", *ARGUMENTS[:4]], "--notes must be given"),
        (["toy.copy", *ARGUMENTS, "--note", "x"], "--note is unknown; did you mean '--notes'?"),
        (["toy.copy", *ARGUMENTS, "more"], "more is unknown"),
        (["toy.copy", *ARGUMENTS[:-1]], "--notes: expected one argument"),
    ],
)
def test_bad_command_lines(door, words, text):
    code, line = only_line(door(*words))
    assert code == 78
    assert text in line


def test_a_missing_input(toy, door):
    (toy.root / "data/in.txt").unlink()
    code, line = only_line(door())
    assert code == 65
    assert line.startswith("toy.copy: --source data/in.txt must exist; run `dvc repro` up to it")


def test_ctrl_c(toy, door, monkeypatch):
    def interrupt(name, words):
        raise KeyboardInterrupt

    monkeypatch.setattr(door_module, "run_stage", interrupt)
    assert only_line(door()) == (130, "toy.copy: interrupted; earlier outputs stay as they were")


def test_help(toy, capsys):
    assert door_module.main([]) == 0
    assert "stages: toy.copy, toy.varied" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        door_module.main(["toy.copy", "--help"])
    assert end.value.code == 0


def test_variants_have_their_own_parameters(toy, door):
    assert door("toy.varied", "--source", "b", "--archive", "data/b.tar") == (0, [])
    assert (toy.root / "data/b.tar").read_text() == "b 2"
    code, line = only_line(door("toy.varied", "--source", "bb", "--archive", "data/b.tar"))
    assert code == 78
    assert "must have a part for the source 'bb'; got a, b; misspelt?; did you mean 'b'?" in line


def test_one_section_may_serve_all_variants(toy, door):
    toy.params("{}", varied="{seed: 7}")
    assert door("toy.varied", "--source", "any", "--archive", "data/any.tar") == (0, [])
    assert (toy.root / "data/any.tar").read_text() == "any 7"


@pytest.mark.parametrize("varied", ["{a: {seed: 1}}", "{seed: 1}", "{}"])
def test_check_accepts(toy, door, varied):
    toy.params("{eps: 1/2, seed: 0}", varied=varied)
    assert door("--check") == (0, [])


@pytest.mark.parametrize(
    ("copy", "varied", "more", "text"),
    [
        ("{eps: 9, seed: 0}", "{}", "", "toy.copy: eps: must lie in [0, 1]"),
        ("{eps: 0, seed: 0}", "{a: {seed: 1}, b: {sed: 1}}", "", "toy.varied.b: sed is not a parameter"),
        ("{eps: 0, seed: 0}", "{a: {seed: 1}, b: 3}", "", "toy.varied.b: must be a part like a; got 3"),
        ("{eps: 0, seed: 0}", "null", "", "toy.varied: must be a section"),
        (
            "{eps: 0, seed: 0}",
            "{}",
            "  cppy: {}\n",
            "toy.cppy: must be a stage (copy, varied); misspelt?; did",
        ),
        (
            "{eps: 0, seed: 0}",
            "{}",
            "tory: {}\n",
            "tory: must be the section of a method (toy); misspelt?; did",
        ),
    ],
)
def test_check_refuses(toy, door, copy, varied, more, text):
    toy.params(copy, varied=varied, more=more)
    code, line = only_line(door("--check"))
    assert code == 78
    assert text in line
