"""Objects: cut-outs with masks, and the scenes and images composed from them."""
