"""ImageNet-E: classification under object edits (Li et al., CVPR 2023)."""
