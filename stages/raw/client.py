"""The package clients of the machine, asked where an artefact lies; what they are configured for is what is used."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from gauntlet.errors import UnavailableError

TIMEOUT_S = 45.0
"""More than a client needs after its own time-outs, and less than anyone waits for a dead network."""


def ask(command: Sequence[str], *, what: str, timeout_s: float = TIMEOUT_S) -> str:
    """Run a package client and return what it prints.

    Args:
        command: Program and arguments.
        what: What is looked for, for the message.
        timeout_s: Most seconds that it may take.

    Raises:
        UnavailableError: There is no such program, it takes too long, or it fails.
    """
    program = "pip" if "pip" in command[:3] else Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C.UTF-8", "UV_HTTP_TIMEOUT": "10"},
            check=False,
        )
    except FileNotFoundError:
        raise UnavailableError(f"{program} must be on this machine to find {what}; it is not on the PATH") from None
    except subprocess.TimeoutExpired:
        raise UnavailableError(
            f"{program} must find {what} within {timeout_s:.0f} s; it did not answer; is the network away?"
        ) from None
    if done.returncode:
        raise UnavailableError(
            f"{program} must find {what}; it ended with {done.returncode}: {_reason(done.stderr)}; "
            "is the network away, or the name or version misspelt?"
        )
    return done.stdout


def _reason(stderr: str) -> str:
    """Pick the line that says most: the first error, else the last line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("e:", "error", "npm error")) and " code " not in line]
    return (errors or lines[-1:] or ["no message"])[0][:300]
