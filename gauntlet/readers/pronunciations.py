"""The pronouncing dictionary that comes with PocketSphinx, CMU's of American English."""

from collections.abc import Collection
from pathlib import Path

from gauntlet.errors import DataError


def read_pronunciations(words: Collection[str]) -> str:
    """Return the lines of the dictionary for these words, in its own format and order.

    A recogniser with few words starts in a fraction of a second; words that the dictionary lacks are left out, so that
    it never says them.

    Args:
        words: Normalised.

    Raises:
        DataError: The dictionary knows none of the words.
    """
    from pocketsphinx import get_model_path

    wanted = set(words)
    lines = Path(get_model_path("en-us/cmudict-en-us.dict")).read_text().splitlines()
    kept = [line for line in lines if line.partition(" ")[0].partition("(")[0] in wanted]
    if not kept:
        raise DataError(f"words must be English; the dictionary has none of {len(wanted)}; another language?")
    return "\n".join([*kept, ""])
