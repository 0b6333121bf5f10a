"""SAFE: few-shot CLIP by fine-tuning its attention pooling alone, and a cache adapter on top."""
