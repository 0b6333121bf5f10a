"""The two sizes of XCiT that only the robust models of Debenedetti et al. have; the rest is timm's."""

from gauntlet.models.preprocessing import NAMED, Normalized


def xcit_medium_12(*, classes: int = 1000, preprocessing: str = "none") -> Normalized:
    """Build XCiT-M12 with patches of 16 px, for pixels in [0, 1]."""
    return _xcit(classes=classes, channels=512, heads=8, preprocessing=preprocessing)


def xcit_large_12(*, classes: int = 1000, preprocessing: str = "none") -> Normalized:
    """Build XCiT-L12 with patches of 16 px, for pixels in [0, 1]."""
    return _xcit(classes=classes, channels=768, heads=16, preprocessing=preprocessing)


def _xcit(*, classes: int, channels: int, heads: int, preprocessing: str) -> Normalized:
    from timm.models.xcit import Xcit

    network = Xcit(
        patch_size=16, embed_dim=channels, depth=12, num_heads=heads, eta=1.0, tokens_norm=True, num_classes=classes
    )
    return Normalized(network, NAMED[preprocessing])
