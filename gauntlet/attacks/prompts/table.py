"""The attacks on prompts by name; a new one is a function of operators' shape and a line here."""

from gauntlet.attacks.prompts.attacked import TextAttack
from gauntlet.attacks.prompts.operators import (
    chain_of_utterances,
    code_injection,
    compositional_instructions,
    deepinception,
    goal_hijacking,
    in_context_attack,
    instruction_encryption,
    instruction_encryption_published,
    instruction_jailbreak,
    positive_induction,
    reverse_induction,
)

TEXT_ATTACKS: dict[str, TextAttack] = {
    f.__name__: f
    for f in (
        positive_induction,
        reverse_induction,
        code_injection,
        instruction_jailbreak,
        goal_hijacking,
        instruction_encryption,
        deepinception,
        in_context_attack,
        chain_of_utterances,
        compositional_instructions,
    )
}
"""The ten of S-Eval in its order; their unweighted mean is the overall success rate."""

VARIANTS: dict[str, TextAttack] = {f.__name__: f for f in (instruction_encryption_published,)}
"""Other forms, reported beside the ten and in no mean."""

MODEL_WRITTEN = ("reverse_induction", "compositional_instructions")
"""Those of the ten that the testing model writes."""
