"""Fast adversarial training: FGSM-LAW, the methods it is measured against, and the loop that runs them all."""
