"""CLIP taken apart: trunk, pooling and text tower, all frozen."""

from collections.abc import Sequence

from torch import Tensor, nn

from gauntlet.models.attention_pool import Pool


class Clip(nn.Module):
    """A frozen CLIP whose pooling can be taken out and trained.

    Attributes:
        pool: From maps to features; frozen, `new_pool` gives one to train.
        logit_scale: By which cosines are multiplied (100 in OpenAI's).
        image_size_px: Side of the pictures.
        name: For logs and scores.
    """

    pool: Pool
    logit_scale: float
    image_size_px: int
    name: str

    def maps(self, x: Tensor) -> Tensor:
        """Return the trunk's maps, B x C x h x w (a ViT's tokens as B x C x 1 x T), of pictures in [0, 1]."""
        raise NotImplementedError

    def new_pool(self) -> nn.Module:
        """Return a copy of the pooling whose own tensors can be trained."""
        raise NotImplementedError

    def image_features(self, x: Tensor) -> Tensor:
        """Return features, B x D, of length 1, of pictures in [0, 1]."""
        raise NotImplementedError

    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Return features, N x D, of length 1."""
        raise NotImplementedError

    def class_features(self, class_names: Sequence[str], templates: Sequence[str]) -> Tensor:
        """Return one feature a class, C x D, of length 1: the mean over the templates, each with one "{}"."""
        raise NotImplementedError

    def prompt_features(self, context: Tensor, class_names: Sequence[str]) -> Tensor:
        """Return one feature a class, C x D, of length 1, of context vectors (n x width) put before the name."""
        raise NotImplementedError

    @property
    def text_width(self) -> int:
        """Width of the token embedding, what a row of `context` has."""
        raise NotImplementedError
