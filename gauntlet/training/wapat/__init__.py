"""Phoneme adversarial training guided by waveform augmentation (WAPAT), and what it is measured against."""
