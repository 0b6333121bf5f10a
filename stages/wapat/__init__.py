"""WAPAT: recognisers trained against phoneme adversaries guided by waveform augmentation, and their scores."""
