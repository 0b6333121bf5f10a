"""ARES-Bench: robustness of classifiers as curves."""
