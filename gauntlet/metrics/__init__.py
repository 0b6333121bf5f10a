"""Metrics: (predictions, truth) -> a frozen dataclass of counts and rates in [0, 1]."""
