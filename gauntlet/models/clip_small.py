"""The small CLIP that is trained here: open_clip's towers, few and narrow layers, the last stage not shrunk."""

from dataclasses import asdict, dataclass

from torch import nn

from gauntlet.errors import ArgumentError
from gauntlet.models.attention_pool import AttentionPool

STRIDE = 16
QUERY = 0.1
"""Of open_clip's first query weights: a small tower's attention else settles on one place in the first steps."""


@dataclass(frozen=True)
class ClipShape:
    """Sizes of the two towers.

    Attributes:
        image_size_px: Side of the pictures, a multiple of 16; the maps are a sixteenth of it.
        width: Channels after the stem; the maps have 32 times as many.
        layers: Blocks of the four stages.
        head_width: Channels of a head of the pooling.
        embed: Length of the features.
        text_width: Of the text tower.
        text_heads: Divides text_width.
        text_layers: Blocks of the text tower.
        context: Tokens of a text, start and end included.
    """

    image_size_px: int = 64
    width: int = 16
    layers: tuple[int, int, int, int] = (1, 1, 1, 1)
    head_width: int = 32
    embed: int = 128
    text_width: int = 128
    text_heads: int = 4
    text_layers: int = 2
    context: int = 32

    def __post_init__(self) -> None:
        if self.image_size_px < STRIDE or self.image_size_px % STRIDE:
            raise ArgumentError(f"image_size_px must be a multiple of {STRIDE}; got {self.image_size_px}")
        if min(self.layers) < 1 or len(self.layers) != 4:
            raise ArgumentError(f"layers must be four counts of at least 1; got {self.layers}")
        if self.width < 2 or self.width % 2 or (self.width * 32) % self.head_width:
            raise ArgumentError(
                f"width must be even and head_width divide 32 width; got {self.width}, {self.head_width}"
            )
        if self.text_width % self.text_heads:
            raise ArgumentError(f"text_heads must divide text_width; got {self.text_heads}, {self.text_width}")

    def as_dict(self) -> dict:
        """Return the attributes as JSON holds them."""
        return asdict(self) | {"layers": list(self.layers)}


def small_clip(shape: ClipShape, *, ids: int, learn_positions: bool = False) -> nn.Module:
    """Build an `open_clip.CLIP` with new weights.

    Args:
        shape: Sizes.
        ids: Token ids of its tokenizer.
        learn_positions: Train the pooling's positional embedding: for pre-training.
    """
    from open_clip.model import CLIP

    towers = {
        # open_clip takes the maps to be a 32nd of the picture.
        "image_size": shape.image_size_px * 32 // STRIDE,
        "width": shape.width,
        "layers": tuple(shape.layers),
        "head_width": shape.head_width,
    }
    texts = {
        "context_length": shape.context,
        "vocab_size": ids,
        "width": shape.text_width,
        "heads": shape.text_heads,
        "layers": shape.text_layers,
    }
    model = CLIP(shape.embed, towers, texts)
    last = model.visual.layer4[0]
    last.avgpool, last.downsample[0] = nn.Identity(), nn.Identity()
    model.visual.attnpool.q_proj.weight.data *= QUERY
    model.visual.attnpool = AttentionPool.from_open_clip(model.visual.attnpool, learn_positions=learn_positions)
    return model
