"""Seconds of an epoch of SAFE on maps cached once, against one that runs the whole tower, and whether both end alike.

Run as `python -m benchmarks.safe_clip_cached`; prints one Markdown table and exits with 1 if the cached epoch is less
than ten times faster, or if the two poolings that are trained, on the same pictures in the same order, differ in their
answers. The CLIP is the one that safe_clip.pretrain wrote, or with `--architecture` open_clip's with random weights,
which cost what trained ones do; the pictures are noise. What caching costs is shown beside: it is paid once, for all
epochs, shots and methods. Seconds are processor time of one thread, the least of `--rounds`.
"""

import argparse
import copy
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.models.clip import Clip
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
    clip = _clip(options)
    generator = torch.Generator().manual_seed(0)
    side = clip.image_size_px
    x = torch.rand(options.views, options.pictures, 3, side, side, generator=generator)
    labels = torch.arange(options.pictures) % options.classes
    begin = time.process_time()
    views = encode((view.split(options.batch) for view in x), labels, trunk=clip.maps, pool=clip.pool)
    caching = time.process_time() - begin
    text = functional.normalize(torch.randn(options.classes, views.pooled.shape[-1], generator=generator), dim=-1)

    def tower(seen: Tensor, index: Tensor) -> Tensor:
        with torch.no_grad():
            return clip.maps(x[seen, index])

    sources: dict[str, MapSource] = {"cached maps": lambda seen, index: views.maps[seen, index], "whole tower": tower}
    spent, pools = {}, {}
    for name, source in sources.items():
        spent[name], pools[name] = _trained(clip, source, labels, text=text, options=options)
    ratio = spent["whole tower"] / spent["cached maps"]
    tuned = [features(pool, views.maps[0]) for pool in pools.values()]
    moved = _distance(tuned[0], views.pooled[0])
    apart = _distance(*tuned)
    print(f"{_machine()}; {clip.name}, {side} px; {options.pictures} pictures, {options.rounds} epochs\n")
    print("| an epoch on | s | ratio |\n|---|---|---|")
    for name, seconds in spent.items():
        print(f"| {name} | {seconds:.3f} | {seconds / spent['cached maps']:.1f} |")
    print(f"\nCaching {options.views} views took {caching:.2f} s, once.")
    print(f"Training moved the features by {moved:.2g} (cosine distance); the two trainings end {apart:.2g} apart.")
    print(f"A cached epoch is {ratio:.1f} times faster; the bound is {BOUND:g}")
    return int(ratio < BOUND or apart > CLOSE * max(moved, 1e-6))


def _trained(
    clip: Clip, source: MapSource, labels: Tensor, *, text: Tensor, options: argparse.Namespace
) -> tuple[float, nn.Module]:
    """Return the least seconds of an epoch, and the pooling after all of them."""
    pool = copy.deepcopy(clip.new_pool())
    records = train_pool(
        pool,
        source,
        labels,
        views=options.views,
        text_features=text,
        logit_scale=20.0,
        settings=PoolSettings(lr=1e-3, batch=options.batch),
        epochs=options.rounds,
        generator=torch.Generator().manual_seed(1),
    )
    return min(_times(lambda: next(records), rounds=options.rounds)), pool


def _times(work: Callable[[], object], *, rounds: int) -> Iterator[float]:
    for _ in range(rounds):
        begin = time.process_time()
        work()
        yield time.process_time() - begin


def _distance(a: Tensor, b: Tensor) -> float:
    return float(1 - functional.cosine_similarity(a.double(), b.double(), dim=-1).min())


def _clip(options: argparse.Namespace) -> Clip:
    from gauntlet.readers.clip import read_clip

    if not options.architecture:
        return read_clip(options.clip)
    import open_clip

    torch.manual_seed(0)
    model = open_clip.create_model(options.architecture, load_weights=False, pretrained_text=False)
    side = model.visual.image_size
    side = side[0] if isinstance(side, tuple) else side
    tokenizer = open_clip.get_tokenizer(options.architecture)
    return Clip(model.float(), tokenizer, image_size_px=side, name=options.architecture)


def _machine() -> str:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    return f"{cpu.partition(': ')[2] or platform.processor()}, one thread, torch {torch.__version__}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="safe_clip_cached.py", description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=Path("data/models/safe_clip/clip"), help="that was trained here")
    parser.add_argument("--architecture", help="open_clip's name of another, such as RN50, its weights random")
    parser.add_argument("--pictures", type=int, default=160, help="that train")
    parser.add_argument("--views", type=int, default=4, help="of each picture")
    parser.add_argument("--classes", type=int, default=10, help="at most as many as pictures")
    parser.add_argument("--batch", type=int, default=32, help="pictures a step")
    parser.add_argument("--rounds", type=int, default=4, help="epochs, of which the least time counts")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
