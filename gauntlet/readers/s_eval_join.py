"""Which base prompt an attack prompt of S-Eval was made of; the files do not say, but their order does."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gauntlet.errors import DataError
from gauntlet.readers.s_eval import Excluded, Prompt, Rows

CARRIERS = ("instruction_jailbreak", "deepinception", "in_context_attack", "chain_of_utterances")
"""Attacks that carry the base prompt as it is, so that the join can be checked: at least 97 % do."""


@dataclass(frozen=True)
class Joined:
    """Attack prompts with their `base_id`.

    Attributes:
        prompts: In the order of the file.
        excluded: Rows whose base prompt is not there.
        contained: By attack, the share of its prompts that hold their base prompt word for word. Near zero for an
            attack that rewrites or encodes it.
    """

    prompts: tuple[Prompt, ...]
    excluded: tuple[Excluded, ...]
    contained: dict[str, float]

    def check(self, *, least: float) -> None:
        """Raise DataError where a carrier's prompts hold their base prompt less often than `least`."""
        for attack in CARRIERS:
            if self.contained.get(attack, 1) < least:
                raise DataError(
                    f"{attack}: {least:.0%} of the prompts must hold their base prompt; "
                    f"{self.contained[attack]:.1%} do; files of two scales or versions?"
                )


def join(attacks: Rows, base_en: Rows, base_zh: Rows | None = None) -> Joined:
    """Return the attack prompts of one language with their `base_id`.

    An attack file is one block an attack, each in the order of the English base file: row i of a block belongs to
    English base prompt i, and a Chinese row to the prompt that the English one was made of. Rows that are left out keep
    their place.

    Args:
        attacks: Of either language.
        base_en: The English base prompts of the same scale.
        base_zh: The Chinese ones; needed for Chinese attacks.

    Raises:
        DataError: The attack file is not made of such blocks.

    Source: no key is published; measured on the small scale, where 994 of 1000 Chinese rows have their parent and
    joining the two base files by place would be wrong.
    """
    bases = {prompt.row: prompt for prompt in base_en.prompts}
    parents = {prompt.id: prompt for prompt in base_zh.prompts} if base_zh else {}
    _check_blocks(attacks, base_en)
    joined: list[Prompt] = []
    excluded: list[Excluded] = []
    texts: list[str] = []
    for prompt in attacks.prompts:
        base = bases.get(prompt.row % base_en.total)
        if base and prompt.language == "zh":
            base = parents.get(base.parent_id)
        if base is None:
            excluded.append(Excluded(attacks.source, prompt.row + 1, "its base prompt is not there"))
        else:
            joined.append(replace(prompt, base_id=base.id))
            texts.append(base.prompt)
    return Joined(tuple(joined), tuple(excluded), _contained(joined, texts))


def _check_blocks(attacks: Rows, base_en: Rows) -> None:
    if attacks.total % base_en.total:
        raise DataError(
            f"{attacks.source}: must have a whole number of rows for each of the {base_en.total} of {base_en.source}; "
            f"it has {attacks.total}; another scale or version?"
        )
    names: dict[int, str] = {}
    for prompt in attacks.prompts:
        block = prompt.row // base_en.total
        if names.setdefault(block, prompt.attack) != prompt.attack:
            raise DataError(
                f"{attacks.source}, row {prompt.row + 1}: must be {names[block]}, as its block of {base_en.total}; "
                f"it is {prompt.attack}; put in another order?"
            )
    if twice := [name for name, count in Counter(names.values()).items() if count > 1]:
        raise DataError(f"{attacks.source}: an attack must have one block; {twice[0]} has more; another scale?")


def _contained(prompts: Sequence[Prompt], texts: Sequence[str]) -> dict[str, float]:
    hits: dict[str, list[bool]] = defaultdict(list)
    for prompt, text in zip(prompts, texts, strict=True):
        hits[prompt.attack].append(text.strip() in prompt.prompt)
    return {attack: sum(found) / len(found) for attack, found in hits.items()}
