"""A bigram language model of given sentences, in the ARPA format that recognisers read."""

import math
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from gauntlet.errors import ArgumentError

BEGIN, END = "<s>", "</s>"


def arpa(sentences: Iterable[str], *, discount: float = 0.5) -> str:
    """Write a bigram model.

    Args:
        sentences: Normalised, words between spaces.
        discount: Taken from each count of a pair and given to single words, in (0, 1).

    Returns:
        The content of an ARPA file; the same for sentences in any order.

    Raises:
        ArgumentError: There is no word, or the discount lies outside its range.

    Source: interpolated absolute discounting, Ney et al. 1994; single words by their counts plus one.
    """
    if not 0 < discount < 1:
        raise ArgumentError(f"discount must lie in (0, 1); got {discount:g}")
    rows = [[BEGIN, *words, END] for words in map(str.split, sentences) if words]
    if not rows:
        raise ArgumentError("sentences must hold at least one word; got none; an empty split?")
    pairs = Counter(pair for row in rows for pair in pairwise(row))
    single = Counter(word for row in rows for word in row[1:])
    before, followers = Counter(), Counter()
    for (first, _), count in pairs.items():
        before[first] += count
        followers[first] += 1
    total = sum(single.values()) + len(single)
    chance = {word: (count + 1) / total for word, count in single.items()}
    rest = {word: discount * followers[word] / before[word] for word in before}
    lines = ["\\data\\", f"ngram 1={len(single) + 1}", f"ngram 2={len(pairs)}", "", "\\1-grams:"]
    for word in sorted([*single, BEGIN]):
        own = f"{math.log10(chance[word]):.6f}" if word in chance else "-99"
        lines.append(f"{own}\t{word}" + (f"\t{math.log10(rest[word]):.6f}" if word in rest else ""))
    lines += ["", "\\2-grams:"]
    for (first, second), count in sorted(pairs.items()):
        joint = (count - discount) / before[first] + rest[first] * chance[second]
        lines.append(f"{math.log10(joint):.6f}\t{first} {second}")
    return "\n".join([*lines, "", "\\end\\", ""])
