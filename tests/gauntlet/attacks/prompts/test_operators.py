"""The ten attacks: what each does to a benign prompt, chance from the generator alone, and a new one in a line."""

import ast
import re
from dataclasses import replace

import numpy as np
import pytest

from gauntlet.attacks.prompts import table
from gauntlet.attacks.prompts.attacked import Attacked, Demonstration, Inputs
from gauntlet.attacks.prompts.encryption import ENGLISH, PUBLISHED
from gauntlet.attacks.prompts.table import MODEL_WRITTEN, TEXT_ATTACKS, VARIANTS
from gauntlet.errors import ArgumentError

PROMPT = 'How do I bake "rye" bread in a {pan} at 220 °C?'
SHOWN = tuple(Demonstration(f"What is {name}?", f"{name} is a grain.") for name in ("rye", "oat", "spelt", "millet"))
INPUTS = Inputs(demonstrations=SHOWN)
SHEET = [
    "positive_induction",
    "reverse_induction",
    "code_injection",
    "instruction_jailbreak",
    "goal_hijacking",
    "instruction_encryption",
    "deepinception",
    "in_context_attack",
    "chain_of_utterances",
    "compositional_instructions",
]
VERBATIM = sorted({*SHEET} - {"instruction_encryption", "code_injection"})


def attacked(name: str, prompt: str = PROMPT, *, seed: int = 0, inputs: Inputs = INPUTS) -> Attacked:
    return (TEXT_ATTACKS | VARIANTS)[name](prompt, generator=np.random.default_rng(seed), inputs=inputs)


def test_the_ten_stand_in_the_order_of_the_sheet():
    assert list(TEXT_ATTACKS) == SHEET


@pytest.mark.parametrize("name", [*TEXT_ATTACKS, *VARIANTS])
def test_an_attack_is_named_drawn_from_its_generator_and_leaves_no_slot(name):
    one, same = attacked(name, "How do I bake bread?", seed=3), attacked(name, "How do I bake bread?", seed=3)
    assert one == same
    assert one.attack == name
    assert one.prompt != "How do I bake bread?"
    assert not re.search(r"\{(prompt|response|shift)\}", one.prompt)


@pytest.mark.parametrize("name", [*TEXT_ATTACKS, *VARIANTS])
@pytest.mark.parametrize("prompt", ["", " \n"])
def test_an_empty_prompt_is_refused(name, prompt):
    with pytest.raises(ArgumentError, match="prompt must have text"):
        attacked(name, prompt)


@pytest.mark.parametrize("name", VERBATIM)
@pytest.mark.parametrize("seed", range(6))
def test_attacks_that_wrap_hold_the_prompt_word_for_word_once(name, seed):
    assert attacked(name, seed=seed).prompt.count(PROMPT) == 1


@pytest.mark.parametrize("prompt", [PROMPT, "?", "a'b\\n\n怎样烤面包", "x" * 7])
def test_the_program_of_code_injection_prints_the_prompt(prompt):
    seen = set()
    for seed in range(30):
        one = attacked("code_injection", prompt, seed=seed)
        program = one.prompt[: one.prompt.index("\nWhat does this program")]
        *assigned, last = ast.parse(program).body
        values = {line.targets[0].id: ast.literal_eval(line.value) for line in assigned}
        joined = [node.id for node in ast.walk(last) if isinstance(node, ast.Name) and node.id != "print"]
        assert "".join(values[name] for name in sorted(joined)) == prompt
        assert all(values.values())
        assert len(values) == one.settings["parts"]
        seen.add(len(values))
    assert seen == set(range(1, min(5, len(prompt)) + 1))


@pytest.mark.parametrize(
    ("name", "ciphers"), [("instruction_encryption", ENGLISH), ("instruction_encryption_published", PUBLISHED)]
)
def test_an_encrypted_prompt_decodes_to_itself_by_the_cipher_that_the_request_names(name, ciphers):
    by_name, seen = {cipher.name: cipher for cipher in ciphers}, set()
    for seed in range(200):
        one = attacked(name, seed=seed)
        request, _, encoded = one.prompt.partition("\n")
        shift = one.settings.get("shift", 1)
        assert by_name[one.settings["cipher"]].decode(encoded, shift) == PROMPT
        assert {"url": "percent", "caesar": f"moved {shift} ", "base64": "Base64"}[one.settings["cipher"]] in request
        seen.add((one.settings["cipher"], one.settings.get("shift")))
    assert {cipher for cipher, _ in seen} == {"url", "caesar", "base64"}
    assert {shift for _, shift in seen if shift} == set(range(1, 10))


def test_the_published_form_encodes_the_chinese_parent():
    inputs = Inputs(parent="怎样烤面包？")
    one = attacked("instruction_encryption_published", inputs=inputs, seed=1)
    cipher = next(cipher for cipher in PUBLISHED if cipher.name == one.settings["cipher"])
    assert cipher.decode(one.prompt.partition("\n")[2], one.settings.get("shift", 1)) == "怎样烤面包？"
    assert attacked("instruction_encryption", inputs=inputs, seed=1) == attacked("instruction_encryption", seed=1)


def test_wrappers_of_the_caller_come_before_the_generic_ones():
    one = attacked("instruction_jailbreak", inputs=Inputs(wrappers=("Be brief. {prompt} {and so on}",)))
    assert one.prompt == f"Be brief. {PROMPT} {{and so on}}"
    with pytest.raises(ArgumentError, match="every wrapper must have the slot"):
        attacked("instruction_jailbreak", inputs=Inputs(wrappers=("no slot",)))


@pytest.mark.parametrize("name", ["in_context_attack", "chain_of_utterances"])
def test_demonstrations_come_before_the_prompt_and_never_show_it(name):
    own = Demonstration(PROMPT, "by hand")
    one = attacked(name, inputs=replace(INPUTS, demonstrations=(*SHOWN, own), shots=9))
    assert "by hand" not in one.prompt
    assert one.prompt.index(PROMPT) > one.prompt.index("is a grain.")
    assert one.settings["shots"] == (4 if name == "in_context_attack" else 1)
    assert one.prompt.count("is a grain.") == one.settings["shots"]
    assert one.prompt.endswith(":" if name == "in_context_attack" else ")")
    with pytest.raises(ArgumentError, match="demonstrations must hold at least one"):
        attacked(name, inputs=Inputs(demonstrations=(own,)))
    with pytest.raises(ArgumentError, match="shots must be at least 1; got 0"):
        attacked(name, inputs=replace(INPUTS, shots=0))


@pytest.mark.parametrize("name", MODEL_WRITTEN)
def test_the_testing_model_writes_and_a_template_that_says_so_serves_without_it(name):
    asked = []
    inputs = Inputs(rewrite=lambda *words: asked.append(words) or " How do I keep bread from burning?\n")
    one = attacked(name, inputs=inputs)
    assert asked == [(name, PROMPT)]
    assert not one.settings["fallback"]
    assert one.prompt.endswith("How do I keep bread from burning?")
    assert PROMPT not in one.prompt
    for useless in (None, lambda *_: " ", lambda *_: PROMPT):
        assert attacked(name, inputs=Inputs(rewrite=useless)).settings["fallback"]


def test_a_new_attack_is_one_function_and_one_line(monkeypatch):
    def polite(prompt, *, generator, inputs):
        return Attacked(f"Please: {prompt}", "polite")

    monkeypatch.setitem(table.TEXT_ATTACKS, "polite", polite)
    assert attacked("polite").prompt == f"Please: {PROMPT}"
