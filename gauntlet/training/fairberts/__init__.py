"""Fine-tuned encoders whose sentence states tell the label and not the group: fairBERTs and four baselines."""
