"""Summary: all scores on one page."""
