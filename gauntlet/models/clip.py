"""CLIP taken apart: trunk, pooling and text tower, all frozen."""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.attention_pool import AttentionPool, TokenPool

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of OpenAI's CLIP; ours takes the same."""

TEXTS = 256
"""Texts that go through the tower at once."""


class Clip(nn.Module):
    """A frozen CLIP whose pooling can be taken out and trained.

    Args:
        model: As `open_clip.CLIP`: a ModifiedResNet or a VisionTransformer, and a causal text tower. It is frozen here.
        tokenizer: From texts to ids, N x T.
        image_size_px: Side of the pictures.
        name: For logs and scores.
        mean: By channel, of pictures in [0, 1].
        std: By channel.

    Attributes:
        pool: From maps to features; frozen, `new_pool` gives one to train.

    Raises:
        ArgumentError: The towers are of another kind.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Callable[[Sequence[str]], Tensor],
        *,
        image_size_px: int,
        name: str,
        mean: Sequence[float] = MEAN,
        std: Sequence[float] = STD,
    ) -> None:
        super().__init__()
        self.model, self.tokenizer, self.image_size_px, self.name = model, tokenizer, image_size_px, name
        self.pool: nn.Module = pool_of(model.visual)
        check_text_tower(model)
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Clip":
        """Stay in evaluation mode: batch statistics that move would change zero-shot in silence."""
        return super().train(False)

    @property
    def logit_scale(self) -> float:
        """Return the number by which cosines are multiplied (100 in OpenAI's)."""
        return float(self.model.logit_scale.detach().exp())

    @property
    def text_width(self) -> int:
        """Return the width of the token embedding, what a row of `context` has."""
        return text_tower(self.model).token_embedding.weight.shape[1]

    def maps(self, x: Tensor) -> Tensor:
        """Return the trunk's maps, B x C x h x w (a ViT's tokens as B x C x 1 x T), of pictures in [0, 1].

        Raises:
            ArgumentError: The pictures have another size.
        """
        side = self.image_size_px
        if x.ndim != 4 or tuple(x.shape[1:]) != (3, side, side):
            raise ArgumentError(f"x must be B x 3 x {side} x {side}, as {self.name} takes it; got {tuple(x.shape)}")
        x, visual = (x - self.mean) / self.std, self.model.visual
        if hasattr(visual, "attnpool"):
            for stage in (visual.stem, visual.layer1, visual.layer2, visual.layer3, visual.layer4):
                x = stage(x)
            return x.contiguous()
        tokens = visual._embeds(x)
        for block in visual.transformer.resblocks[:-1]:
            tokens = block(tokens)
        return tokens.transpose(1, 2)[:, :, None].contiguous()

    def new_pool(self) -> nn.Module:
        """Return a copy of the pooling whose own tensors can be trained."""
        pool = copy.deepcopy(self.pool)
        for name, tensor in pool.named_parameters():
            tensor.requires_grad_(name.startswith(("q_proj", "k_proj", "v_proj", "c_proj", "projection")))
        return pool

    def image_features(self, x: Tensor) -> Tensor:
        """Return features, B x D, of length 1, of pictures in [0, 1]."""
        return functional.normalize(self.pool(self.maps(x)), dim=-1)

    @torch.no_grad()
    def text_features(self, texts: Sequence[str]) -> Tensor:
        """Return features, N x D, of length 1."""
        if not texts:
            raise ArgumentError("texts must be some; got none")
        tokens = self._tokens(texts)
        parts = [encode_tokens(self.model, part) for part in tokens.split(TEXTS)]
        return functional.normalize(torch.cat(parts), dim=-1)

    def class_features(self, class_names: Sequence[str], templates: Sequence[str]) -> Tensor:
        """Return one feature a class, C x D, of length 1: the mean over templates of features of length 1.

        Args:
            class_names: C names.
            templates: Texts with one "{}" each, where the name goes.

        Raises:
            ArgumentError: No class or template, one without its place, or a name of unknown words alone.
        """
        if not class_names or not templates:
            raise ArgumentError(f"class_names and templates must be some; got {len(class_names)} and {len(templates)}")
        if wrong := [template for template in templates if template.count("{}") != 1]:
            raise ArgumentError(f'a template must have one "{{}}", where the name goes; got {wrong[0]!r}')
        knows = getattr(self.tokenizer, "knows", lambda text: True)
        if strange := [name for name in class_names if not knows(name)]:
            raise ArgumentError(
                f"a class name must have a word that {self.name} knows; got {strange[0]!r}; other data?"
            )
        texts = [template.replace("{}", name) for name in class_names for template in templates]
        features = self.text_features(texts).unflatten(0, (len(class_names), len(templates)))
        return functional.normalize(features.mean(1), dim=-1)

    def prompt_features(self, context: Tensor, class_names: Sequence[str]) -> Tensor:
        """Return one feature a class, C x D, of length 1, of context vectors put before the name.

        Args:
            context: n x text_width; gradients flow back to it. (CoOp's unified context.)
            class_names: C names.

        Raises:
            ArgumentError: The context has another width, or does not fit before a name.
        """
        if context.ndim != 2 or context.shape[1] != self.text_width:
            raise ArgumentError(f"context must be n x {self.text_width}; got {tuple(context.shape)}")
        tokens = self._tokens([" ".join(["x"] * len(context) + [name]) + "." for name in class_names])
        embedded = text_tower(self.model).token_embedding(tokens)
        places = context[None].expand(len(tokens), -1, -1)
        embedded = torch.cat([embedded[:, :1], places, embedded[:, 1 + len(context) :]], 1)
        return functional.normalize(encode_tokens(self.model, tokens, embedded=embedded), dim=-1)

    def _tokens(self, texts: Sequence[str]) -> Tensor:
        return self.tokenizer(list(texts)).to(self.mean.device)


def pool_of(visual: nn.Module) -> AttentionPool | TokenPool:
    """Copy the pooling out of an image tower.

    Raises:
        ArgumentError: It is neither a ModifiedResNet nor a VisionTransformer.
    """
    if hasattr(visual, "attnpool") and hasattr(visual, "layer4"):
        return AttentionPool.from_open_clip(visual.attnpool)
    if hasattr(visual, "class_embedding") and hasattr(visual, "transformer"):
        return TokenPool(visual)
    raise ArgumentError(f"the image tower must be a CLIP ResNet or ViT; got {type(visual).__name__}; another CLIP?")


def text_tower(model: nn.Module) -> nn.Module:
    """Return what holds the text tower's parts: open_clip keeps them in `text` or in the model itself."""
    return getattr(model, "text", model)


def check_text_tower(model: nn.Module) -> None:
    """Check that texts are read from left to right up to a marked end.

    Raises:
        ArgumentError: They are not.
    """
    tower = text_tower(model)
    kind = getattr(tower, "text_pool_type", getattr(tower, "pool_type", None))
    if kind not in ("argmax", "eos") or getattr(tower, "attn_mask", None) is None:
        raise ArgumentError(f"the text tower must be causal and end in a marked token; got {type(tower).__name__}")


def encode_tokens(model: nn.Module, tokens: Tensor, *, embedded: Tensor | None = None) -> Tensor:
    """Return text features, N x D, not normalised.

    What stands behind the last end is left out: a causal tower never looks there.

    Args:
        model: As for `Clip`.
        tokens: int64, N x T.
        embedded: N x T x width, to stand for the tokens' own embedding.
    """
    tower = text_tower(model)
    kind = getattr(tower, "text_pool_type", getattr(tower, "pool_type", None))
    marker = getattr(tower, "text_eos_id", getattr(tower, "eos_id", None))
    ends = (tokens if kind == "argmax" else (tokens == marker).int()).argmax(-1)
    length = int(ends.max()) + 1
    hidden = tower.token_embedding(tokens[:, :length]) if embedded is None else embedded[:, :length]
    hidden = hidden + tower.positional_embedding[:length]
    hidden = tower.ln_final(tower.transformer(hidden, attn_mask=tower.attn_mask[:length, :length]))
    summary = hidden[torch.arange(len(tokens), device=tokens.device), ends]
    projection = tower.text_projection
    if projection is None:
        return summary
    return projection(summary) if isinstance(projection, nn.Linear) else summary @ projection
