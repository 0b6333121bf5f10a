"""The four mistakes that a caller can mend, each with its own exit code at the stage door.

Every message is one line: what must hold; what came; the likely slip.
"""


class DataError(ValueError):
    """A record or file is bad: names the file and the row (exit 65)."""


class UnavailableError(RuntimeError):
    """Something that is needed is away: network, client program, server (exit 69)."""


class RetryableError(RuntimeError):
    """The same call may succeed later: disk full, out of memory, another run at work (exit 75)."""


class ArgumentError(ValueError):
    """A parameter lies outside its legal range (exit 78)."""
