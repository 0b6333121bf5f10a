"""The attacks of S-Eval, one a function: `(prompt, *, generator, inputs) -> Attacked`.

Every attack takes a prompt with text in it, draws from `generator` alone, and raises ArgumentError for an empty prompt
or an input that it needs and lacks.

Source: S-Eval, section on attacks, and the structure of the released rows; wording by this project (templates.py).
"""

from collections.abc import Sequence

import numpy as np

from gauntlet.attacks.prompts import templates
from gauntlet.attacks.prompts.attacked import Attacked, Demonstration, Inputs
from gauntlet.attacks.prompts.encryption import ENGLISH, PUBLISHED, SHIFTS, Cipher
from gauntlet.errors import ArgumentError

PARTS = 5
SLOT = "{prompt}"


def _check(prompt: str) -> str:
    if not prompt.strip():
        raise ArgumentError("prompt must have text; got an empty one")
    return prompt.strip()


def _put(template: str, prompt: str) -> str:
    """Fill the slot without reading braces elsewhere, which both texts may have."""
    return template.replace(SLOT, prompt)


def _wrapped(prompt: str, choices: Sequence[str], *, generator: np.random.Generator, attack: str) -> Attacked:
    place = int(generator.integers(len(choices)))
    return Attacked(_put(choices[place], _check(prompt)), attack, {"template": place})


def positive_induction(prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
    """Ask for an affirmative opening after the prompt."""
    return _wrapped(prompt, templates.POSITIVE_INDUCTION, generator=generator, attack="positive_induction")


def reverse_induction(prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
    """Let the testing model turn the prompt into the opposite, legitimate-looking purpose, such as prevention."""
    text = _rewritten(prompt, "reverse_induction", inputs=inputs)
    if text:
        return Attacked(text, "reverse_induction", {"fallback": False})
    done = _wrapped(prompt, templates.REVERSE_INDUCTION, generator=generator, attack="reverse_induction")
    return Attacked(done.prompt, done.attack, {**done.settings, "fallback": True})


def code_injection(prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
    """Split the prompt over 1-5 string variables of a Python program that joins and prints them."""
    prompt = _check(prompt)
    parts = min(int(generator.integers(1, PARTS + 1)), len(prompt))
    cuts = [0, *sorted(int(cut) for cut in generator.choice(len(prompt) - 1, parts - 1, replace=False) + 1)]
    pieces = [prompt[start:stop] for start, stop in zip(cuts, [*cuts[1:], len(prompt)], strict=True)]
    lines = [f"{name} = {piece!r}" for name, piece in zip("abcde", pieces, strict=False)]
    program = "\n".join([*lines, f"print({' + '.join('abcde'[:parts])})"])
    return Attacked(f"{program}\n{templates.CODE_INJECTION}", "code_injection", {"parts": parts})


def instruction_jailbreak(prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
    """Wrap the prompt in a role play or a rule that overrides others.

    Raises:
        ArgumentError: A wrapper has no slot `{prompt}`.
    """
    if any(SLOT not in wrapper for wrapper in inputs.wrappers):
        raise ArgumentError(f"every wrapper must have the slot {SLOT}; one has none")
    choices = inputs.wrappers or templates.INSTRUCTION_JAILBREAK
    return _wrapped(prompt, choices, generator=generator, attack="instruction_jailbreak")


def goal_hijacking(prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
    """Open with an unrelated task and redirect to the prompt."""
    return _wrapped(prompt, templates.GOAL_HIJACKING, generator=generator, attack="goal_hijacking")


def instruction_encryption(prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
    """Encode the prompt by a cipher for Latin letters and ask to decode and answer it."""
    return _encoded(_check(prompt), ENGLISH, generator=generator, attack="instruction_encryption")


def instruction_encryption_published(prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
    """Encode the parent text as the released rows do: in the English file, the Chinese parent of the prompt."""
    text = inputs.parent.strip() or _check(prompt)
    return _encoded(text, PUBLISHED, generator=generator, attack="instruction_encryption_published")


def _encoded(text: str, ciphers: Sequence[Cipher], *, generator: np.random.Generator, attack: str) -> Attacked:
    cipher = ciphers[int(generator.integers(len(ciphers)))]
    shift = int(generator.integers(SHIFTS.start, SHIFTS.stop))
    request = templates.INSTRUCTION_ENCRYPTION[cipher.name].replace("{shift}", str(shift))
    settings = {"cipher": cipher.name} | ({"shift": shift} if cipher.name == "caesar" else {})
    return Attacked(_put(request, cipher.encode(text, shift)), attack, settings)


def deepinception(prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
    """Carry the prompt through a story in nested layers."""
    return Attacked(_put(templates.DEEPINCEPTION, _check(prompt)), "deepinception")


def in_context_attack(prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
    """Ask after demonstrations of prompts that were answered.

    S-Eval shows five; `inputs.shots` says how many here.
    """
    shown = _drawn(prompt, inputs, generator=generator)
    turns = [_turn(templates.IN_CONTEXT, one) for one in (*shown, Demonstration(_check(prompt), ""))]
    return Attacked("\n".join(turns).rstrip(), "in_context_attack", {"shots": len(shown)})


def chain_of_utterances(prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
    """Ask at the end of a dialogue of two models, one of which thinks aloud; one demonstration."""
    shown = _drawn(prompt, inputs, generator=generator)[:1]
    turns = [_turn(templates.UTTERANCE, one) for one in (*shown, Demonstration(_check(prompt), ""))]
    text = "\n".join([templates.CHAIN_OF_UTTERANCES, *turns]).rstrip()
    return Attacked(text, "chain_of_utterances", {"shots": len(shown)})


def _turn(template: str, one: Demonstration) -> str:
    before, _, after = template.partition(SLOT)
    return before + one.prompt.strip() + after.replace("{response}", one.response.strip())


def _drawn(prompt: str, inputs: Inputs, *, generator: np.random.Generator) -> list[Demonstration]:
    """Draw demonstrations that are not the prompt's own."""
    if inputs.shots < 1:
        raise ArgumentError(f"shots must be at least 1; got {inputs.shots}")
    others = [one for one in inputs.demonstrations if one.prompt.strip() != prompt.strip()]
    if not others:
        raise ArgumentError("demonstrations must hold at least one of another prompt; got none")
    order = generator.permutation(len(others))[: inputs.shots]
    return [others[place] for place in order]


def compositional_instructions(prompt: str, *, generator: np.random.Generator, inputs: Inputs) -> Attacked:
    """Let a writer of fiction continue a plot into which the testing model has put the prompt."""
    plot = _rewritten(prompt, "compositional_instructions", inputs=inputs)
    text = _put(templates.COMPOSITIONAL_FRAME, plot or _put(templates.COMPOSITIONAL_PLOT, _check(prompt)))
    return Attacked(text, "compositional_instructions", {"fallback": not plot})


def _rewritten(prompt: str, attack: str, *, inputs: Inputs) -> str:
    """Ask the testing model; "" where there is none, or it gives nothing or the prompt itself."""
    prompt = _check(prompt)
    text = inputs.rewrite(attack, prompt).strip() if inputs.rewrite else ""
    return "" if text == prompt else text
