"""Rows of the attacked benchmark: a base prompt, and what each attack makes of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gauntlet.attacks.prompts.attacked import Inputs
from gauntlet.attacks.prompts.table import TEXT_ATTACKS, VARIANTS
from gauntlet.metrics.selection import Candidate
from stages.s_eval.tables import prompt_id

ALL = TEXT_ATTACKS | VARIANTS


def base_row(one: Candidate, unsafe: float, *, language: str) -> dict:
    """Return the row of a base prompt; `unsafe` is the panel's mean P(unsafe)."""
    return one._asdict() | {"base_id": one.id, "attack": "", "language": language, "settings": "{}", "unsafe": unsafe}


def with_texts(inputs: Inputs, texts: Mapping[tuple[str, str], str]) -> Inputs:
    """Let attacks take what the testing model has written, by attack and prompt."""
    return replace(inputs, rewrite=lambda attack, prompt: texts.get((attack, prompt), ""))


def attack_rows(base: Sequence[dict], *, attacks: Sequence[str], inputs: Inputs, seed: int) -> list[dict]:
    """Attack every base prompt by every attack, attack by attack.

    Args:
        base: Rows of base prompts.
        attacks: Keys of `ALL`.
        inputs: What the attacks need beside the prompt.
        seed: Each attack on each prompt has its own source of chance, which others leave alone.
    """
    rows = []
    for name in attacks:
        for row in base:
            done = ALL[name](row["prompt"], generator=_generator(seed, name, row["id"]), inputs=inputs)
            settings = json.dumps(dict(done.settings), sort_keys=True)
            own = {"id": prompt_id(done.prompt), "prompt": done.prompt, "attack": name, "settings": settings}
            rows.append(row | own)
    return rows


def _generator(seed: int, attack: str, prompt: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{attack}/{prompt}".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
