"""Judges: (prompt, response) -> a Verdict; an error is a verdict of its own, and leaves the denominator."""
