"""Training: losses, and loops that yield one record an epoch."""
