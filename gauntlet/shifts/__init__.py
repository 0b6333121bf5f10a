"""Shifts: (x, *, severity or amount, generator) -> x, for images, waveforms and strings."""
