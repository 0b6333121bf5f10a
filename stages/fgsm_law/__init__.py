"""Fast adversarial training: FGSM-LAW and the methods it is measured against."""
