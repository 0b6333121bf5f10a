"""Few-shot CLIP on cached feature maps: SAFE, SAFE-A and the methods that they are measured against."""
