"""Training of the IAP protector: a message and the disruption of face editors in one perturbation."""
