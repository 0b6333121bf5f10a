"""COCO-O: detection under six natural shifts (Mao et al., ICCV 2023)."""
