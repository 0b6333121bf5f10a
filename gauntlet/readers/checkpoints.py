"""Load weights that somebody else saved: safetensors, or a .pt/.pth of tensors alone; nothing in them is run.

Trainers wrap the weights (`state_dict`, `model`, EMA copies), prefix their names (`module.`, `_orig_mod.`) and put a
normalisation in front; all that is taken off here until the names fit the model.
"""

import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gauntlet.errors import DataError

NESTED = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model_state_dict", "model", "net")
"""Where trainers keep the weights, the averaged ones first, for those are the ones that papers report."""

PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "backbone.", "net.", "1.")
"""What wrappers put before the names; "1." is a Sequential of a normalisation and the network."""

STATISTICS = ("mean", "std", "mu", "sigma")
"""Last words of the names under which wrappers keep a normalisation."""

COUNTERS = ("num_batches_tracked", "n_averaged")
"""Last words of the counters that an older torch did not save, or that averaging adds."""

CODE = ("safe_globals", "Unsupported class", "unsupported GLOBAL")
"""What torch says of a pickle with code."""

SHOWN = 3


class _Settings:
    """Stands in for a trainer's argparse.Namespace, which holds plain values and is not looked at."""


def read_weights(path: Path, *, part: str | None = None) -> dict[str, Tensor]:
    """Read the weights of a checkpoint as they are named there, out of the dict that a trainer wrapped around them.

    Args:
        path: A .safetensors, .pt or .pth file.
        part: Of a file with several networks, the key of the one to read.

    Raises:
        DataError: The file is missing or damaged, is a pickle with code, or holds no weights.
    """
    if not path.is_file():
        raise DataError(f"{path} must exist; misspelt, or on another machine?")
    content = _load_safetensors(path) if path.suffix == ".safetensors" else _load_torch(path)
    for key in NESTED if part is None else (part,):
        inner = content.get(key)
        if isinstance(inner, Mapping) and any(isinstance(value, Tensor) for value in inner.values()):
            return {str(name): value for name, value in inner.items() if isinstance(value, Tensor)}
    weights = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if part is not None:
        raise DataError(f"{path} must hold the network {part}; it holds {', '.join(map(str, content))}; another file?")
    if not weights:
        raise DataError(
            f"{path} must hold weights; it holds {', '.join(map(str, content)) or 'nothing'}; another file?"
        )
    return weights


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} must be a whole safetensors file; {error}; truncated?") from None


def _load_torch(path: Path) -> Mapping[str, object]:
    try:
        with torch.serialization.safe_globals([(_Settings, "argparse.Namespace")]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle's version, which says nothing to whoever gets the error
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # an unknown file can fail in any way at all
        if any(sign in str(error) for sign in CODE):
            raise DataError(
                f"{path} must hold tensors alone; it is a pickle with code, which is not run; save model.state_dict()"
            ) from None
        raise DataError(
            f"{path} must be a whole file of torch.save; it cannot be read; truncated, a plain pickle, or another file?"
        ) from None
    if not isinstance(content, Mapping):
        raise DataError(f"{path} must hold weights by name; got {type(content).__name__}; save model.state_dict()")
    return content


def load_checkpoint(model: nn.Module, path: Path) -> None:
    """Load a checkpoint into a model, whole: every weight of the model is in the file, and no other.

    Args:
        model: As `gauntlet.models.registry.build` gives it; the checkpoint may be of it or of the network inside.
        path: A .safetensors, .pt or .pth file.

    Raises:
        DataError: As `read_weights`; or names or shapes do not fit, the number of classes among them. The model is
            left as it was.
    """
    weights = read_weights(path)
    inside = getattr(model, "network", None)
    targets = [model, inside] if isinstance(inside, nn.Module) else [model]
    tried = [
        (target, _with_counters(target, _named_as(target, named)))
        for target in targets
        for named in _unwrapped(weights)
    ]
    target, named = min(tried, key=lambda each: _misfits(each[0].state_dict(), each[1]))
    _check_fit(path, target.state_dict(), named)
    if not any(map(_is_statistic, named)):  # else the network keeps some of its own under such names
        _check_statistics(path, model, weights)
    target.load_state_dict(named)


def _unwrapped(weights: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Yield the weights with ever more prefixes taken off, and without a wrapper's own statistics."""
    yield weights
    while True:
        weights = {name: value for name, value in weights.items() if not _is_statistic(name) and name != COUNTERS[1]}
        first = next(iter(weights), "")
        prefix = next((each for each in PREFIXES if first.startswith(each)), None)
        if prefix is None or not all(name.startswith(prefix) for name in weights):
            yield weights
            return
        weights = {name.removeprefix(prefix): value for name, value in weights.items()}
        yield weights


def _is_statistic(name: str) -> bool:
    """Tell a normalisation's buffers, which stand at most two levels deep, from a network's."""
    return name.rpartition(".")[2] in STATISTICS and name.count(".") <= 2


def _named_as(target: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give weights saved by an older timm the names of the installed one, where the network is timm's."""
    module = type(target).__module__
    convert = getattr(sys.modules.get(module), "checkpoint_filter_fn", None) if module.startswith("timm.") else None
    if convert is None or not _misfits(target.state_dict(), weights):
        return weights
    try:
        return convert(dict(weights), target)
    except (KeyError, RuntimeError, ValueError, AttributeError, AssertionError, IndexError):
        return weights  # of another architecture: what does not fit is said below


def _with_counters(target: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    counters = {name: value for name, value in target.state_dict().items() if name.endswith(COUNTERS[0])}
    return counters | weights


def _misfits(wanted: Mapping[str, Tensor], got: Mapping[str, Tensor]) -> int:
    shapes = sum(name in wanted and wanted[name].shape != value.shape for name, value in got.items())
    return len(wanted.keys() ^ got.keys()) + shapes


def _check_fit(path: Path, wanted: Mapping[str, Tensor], got: Mapping[str, Tensor]) -> None:
    for what, names in (("lacks", wanted.keys() - got.keys()), ("has besides", got.keys() - wanted.keys())):
        if names:
            shown = ", ".join(sorted(names)[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
            raise DataError(
                f"{path} must fit the model; it {what} {len(names)} weights: {shown}; another architecture?"
            )
    for name, value in wanted.items():
        if got[name].shape != value.shape:
            if value.shape[1:] == got[name].shape[1:] and name == _head(wanted):
                raise DataError(f"{path} must have {len(value)} classes; it has {len(got[name])}; another data set?")
            raise DataError(
                f"{path}: {name} must be {tuple(value.shape)}; got {tuple(got[name].shape)}; another architecture?"
            )


def _head(weights: Mapping[str, Tensor]) -> str:
    return next((name for name in reversed(list(weights)) if weights[name].ndim >= 2), "")


def _check_statistics(path: Path, model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Refuse a checkpoint that was trained behind another normalisation than the model's."""
    ours = getattr(model, "normalize", None)
    for name, value in weights.items():
        word = name.rpartition(".")[2]
        if ours is None or not _is_statistic(name) or value.numel() not in (1, 3):
            continue
        own = getattr(
            ours, "mean" if word in ("mean", "mu") else "deviation", torch.tensor(0.0 if word[0] == "m" else 1.0)
        )
        if not torch.allclose(own.flatten().float(), value.flatten().float(), atol=1e-3):
            shown = [round(number, 4) for number in value.flatten().tolist()]
            raise DataError(f"{path}: {name} is {shown}, the model's is {own.flatten().tolist()}; set `preprocessing`?")
