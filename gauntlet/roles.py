"""Deal prompts to roles so that no text, nor one like it, has two, and every category gets its share of each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from gauntlet.errors import ArgumentError
from gauntlet.sentences import group_near, rank
from gauntlet.transcripts import normalize


def deal_roles(
    texts: Sequence[str],
    categories: Sequence[str],
    *,
    shares: Mapping[str, float],
    unknown: Sequence[str],
    pinned: Mapping[str, str],
    seed: int,
) -> list[str]:
    """Deal texts to roles, near-equal ones together, category by category.

    Within a category the groups come in the order of their ranks, and each goes to the role that is furthest below its
    share; so the role with the greatest share gets the first, and even a category of one has it.

    Args:
        texts: Prompts.
        categories: Of each; "" where unknown. The first text of a group says the group's.
        shares: Share of each role; they sum to 1.
        unknown: Roles that a group without a category may have.
        pinned: Roles decided already, by text; they bind the group.
        seed: Of the ranks.

    Returns:
        The role of each text, whatever their order.

    Raises:
        ArgumentError: Shares that do not sum to 1, or a role in `unknown` without a share.
    """
    if abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values()) < 0 or not sum(shares.get(r, 0) for r in unknown):
        raise ArgumentError(f"shares must be at least 0, sum to 1 and hold {', '.join(unknown)}; got {dict(shares)}")
    groups: dict[int, list[int]] = defaultdict(list)
    order = sorted(range(len(texts)), key=texts.__getitem__)
    for place, first in zip(order, group_near([normalize(texts[place]) for place in order]), strict=True):
        groups[first].append(place)
    by_category: dict[str, list[list[int]]] = defaultdict(list)
    roles = [""] * len(texts)
    for group in groups.values():
        bound = sorted({pinned[texts[place]] for place in group if texts[place] in pinned})
        if bound:
            _give(group, bound[-1], roles)
        else:
            by_category[categories[group[0]]].append(group)
    for category, found in by_category.items():
        found.sort(key=lambda group: rank(texts[group[0]], seed=seed))
        allowed = dict(shares) if category else {role: shares[role] for role in unknown if role in shares}
        _deal(found, allowed, roles)
    return roles


def _deal(groups: list[list[int]], shares: Mapping[str, float], roles: list[str]) -> None:
    whole = sum(shares.values())
    counts = dict.fromkeys(shares, 0)
    for group in groups:
        total = sum(counts.values()) + len(group)
        role = max(shares, key=lambda role: shares[role] / whole * total - counts[role])
        counts[role] += len(group)
        _give(group, role, roles)


def _give(group: list[int], role: str, roles: list[str]) -> None:
    for place in group:
        roles[place] = role
