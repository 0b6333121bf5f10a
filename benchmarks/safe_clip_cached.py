"""Seconds of an epoch of SAFE on maps cached once, against one that runs the whole tower, and whether both end alike.

Run as `python -m benchmarks.safe_clip_cached`; prints one Markdown table and exits with 1 if an epoch of RN50 is less
than ten times faster from the cache, or if the two poolings that are trained, on the same pictures in the same order,
end apart. RN50 has random weights, which cost what trained ones do; the small CLIP that safe_clip.pretrain wrote is
measured beside it, without a bound: its trunk is cheap next to its pooling. An epoch without the cache cuts its views
anew, as it must. The pictures are noise. What caching costs is shown too: it is paid once, for all epochs, shots and
methods. Seconds are processor time of one thread, the least of `--rounds`.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.models.clip import Clip
from gauntlet.readers.labelled import RandomCrop
from gauntlet.training.safe_clip.pool import MapSource, features, train_pool
from gauntlet.training.safe_clip.settings import PoolSettings
from gauntlet.training.safe_clip.views import encode

BOUND = 10.0
CLOSE = 1e-3
"""Cosine distance: the tower's batches differ from the cache's, so that their last bits do."""


def main() -> int:
    """Measure, print the table, say whether the bound holds."""
    options = _options()
    torch.set_num_threads(1)
    print(f"{_machine()}; {options.pictures} pictures, {options.views} views, {options.rounds} epochs\n")
    print("| CLIP | s of caching, once | s an epoch, whole tower | s an epoch, cached | ratio | apart, of what moved |")
    print("|---|---|---|---|---|---|")
    small = [_read(options.clip)] if options.clip.is_dir() else []
    rows = {clip.name: _measured(clip, options) for clip in [*small, _random(options.architecture)]}
    ratio = rows[options.architecture].ratio
    print(f"\nA cached epoch of {options.architecture} is {ratio:.1f} times faster; the bound is {BOUND:g}")
    return int(ratio < BOUND or max(row.apart for row in rows.values()) > CLOSE)


class Row(NamedTuple):
    """What is shown of a CLIP."""

    ratio: float
    apart: float


def _measured(clip: Clip, options: argparse.Namespace) -> Row:
    generator = np.random.default_rng(0)
    side = clip.image_size_px
    pictures = [
        Image.fromarray(part) for part in generator.integers(0, 256, (options.pictures, side, side, 3), np.uint8)
    ]
    crops = [RandomCrop(side, seed=view, least=0.5) for view in range(options.views)]

    def cut(seen: Tensor, index: Tensor) -> Tensor:
        places = zip(seen.tolist(), index.tolist(), strict=True)
        x = np.stack([np.asarray(crops[view](pictures[place], place)) for view, place in places])
        return torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255

    def tower(seen: Tensor, index: Tensor) -> Tensor:
        with torch.no_grad():
            return clip.maps(cut(seen, index))

    labels = torch.arange(options.pictures) % options.classes
    order = torch.arange(options.pictures).split(options.batch)
    begin = time.process_time()
    batches = ((cut(torch.full_like(part, view), part) for part in order) for view in range(options.views))
    views = encode(batches, labels, trunk=clip.maps, pool=clip.pool)
    caching = time.process_time() - begin
    whole, reference = _trained(clip, tower, labels, options=options)
    cached, pool = _trained(clip, lambda seen, index: views.maps[seen, index], labels, options=options)
    tuned = features(pool, views.maps[0])
    apart = _distance(tuned, features(reference, views.maps[0])) / max(1e-9, _distance(tuned, views.pooled[0]))
    name = f"{clip.name}, {side} px"
    print(f"| {name} | {caching:.2f} | {whole:.3f} | {cached:.3f} | {whole / cached:.1f} | {apart:.1g} |", flush=True)
    return Row(whole / cached, apart)


def _trained(clip: Clip, source: MapSource, labels: Tensor, *, options: argparse.Namespace) -> tuple[float, nn.Module]:
    """Return the least seconds of an epoch, and the pooling after all of them."""
    pool, generator = clip.new_pool(), torch.Generator().manual_seed(1)
    text = functional.normalize(torch.randn(options.classes, pool.c_proj.out_features, generator=generator), dim=-1)
    records = train_pool(
        pool,
        source,
        labels,
        views=options.views,
        text_features=text,
        logit_scale=20.0,
        settings=PoolSettings(lr=1e-3, batch=options.batch),
        epochs=options.rounds,
        generator=generator,
    )
    return min(_times(lambda: next(records), rounds=options.rounds)), pool


def _times(work: Callable[[], object], *, rounds: int) -> Iterator[float]:
    for _ in range(rounds):
        begin = time.process_time()
        work()
        yield time.process_time() - begin


def _distance(a: Tensor, b: Tensor) -> float:
    return float(1 - functional.cosine_similarity(a.double(), b.double(), dim=-1).min())


def _read(folder: Path) -> Clip:
    from gauntlet.readers.clip import read_clip

    return read_clip(folder)


def _random(architecture: str) -> Clip:
    import open_clip

    torch.manual_seed(0)
    model = open_clip.create_model(architecture, load_weights=False, pretrained_text=False)
    side = model.visual.image_size
    side = side[0] if isinstance(side, tuple) else side
    return Clip(model.float(), open_clip.get_tokenizer(architecture), image_size_px=side, name=architecture)


def _machine() -> str:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    return f"{cpu.partition(': ')[2] or platform.processor()}, one thread, torch {torch.__version__}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="safe_clip_cached.py", description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=Path("data/models/safe_clip/clip"), help="that was trained here")
    parser.add_argument("--architecture", default="RN50", help="open_clip's name of a ResNet CLIP, its weights random")
    parser.add_argument("--pictures", type=int, default=32, help="that train")
    parser.add_argument("--views", type=int, default=2, help="of each picture")
    parser.add_argument("--classes", type=int, default=10, help="at most as many as pictures")
    parser.add_argument("--batch", type=int, default=32, help="pictures a step")
    parser.add_argument("--rounds", type=int, default=3, help="epochs, of which the least time counts")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
