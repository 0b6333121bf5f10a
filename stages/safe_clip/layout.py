"""Files of the small world: few-shot sets in CoOp's layout, the corpus as WebDataset shards."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
import webdataset
from safetensors.torch import save_file

from gauntlet.captions import KINDS
from stages.files import write_gallery, write_json
from stages.safe_clip.pictures import Picture

SPLITS = ("train", "val", "test")
SHARD = 2000


def write_set(folder: Path, classes: list[str], splits: dict[str, list[Picture]]) -> None:
    """Write one set in CoOp's layout: images/, split_zhou_<Name>.json; beside them what CoOp's sets do not have.

    That is manifest.parquet (what each picture is made of) and the masks of the test pictures.
    """
    listing: dict[str, list] = {split: [] for split in SPLITS}
    classes = [KINDS.get(name, name) for name in classes]
    rows = []
    for split, pictures in splits.items():
        for index, made in enumerate(pictures):
            label = index % len(classes)
            impath = f"{classes[label].replace(' ', '_')}/{split}-{index // len(classes):03d}-{made.things[0].key}.png"
            (folder / "images" / impath).parent.mkdir(parents=True, exist_ok=True)
            (folder / "images" / impath).write_bytes(made.png)
            listing[split].append([impath, label, classes[label]])
            rows.append({"key": impath, "split": split, "class": classes[label], **_made_of(made)})
    title = "".join(part.capitalize() for part in folder.name.split("-"))
    write_json(folder / f"split_zhou_{title}.json", listing)
    pd.DataFrame(rows).to_parquet(folder / "manifest.parquet", index=False)
    masks = torch.from_numpy(np.stack([made.mask for made in splits["test"]]).astype(np.uint8))
    save_file({"masks": masks}, folder / "masks_test.safetensors")


def write_corpus(folder: Path, made: list[tuple[Picture, str]]) -> None:
    """Write the pictures as WebDataset shards (png, txt) and the manifest."""
    folder.mkdir(parents=True)
    rows = [(f"corpus-{index:06d}", shown, said) for index, (shown, said) in enumerate(made)]
    for begin in range(0, len(rows), SHARD):
        with webdataset.TarWriter(str(folder / f"corpus-{begin // SHARD:04d}.tar"), mtime=0) as shard:
            for key, shown, said in rows[begin : begin + SHARD]:
                shard.write({"__key__": key, "png": shown.png, "txt": said})
    records = [{"key": key, "caption": said, **_made_of(shown)} for key, shown, said in rows]
    pd.DataFrame(records).to_parquet(folder / "manifest.parquet", index=False)
    write_gallery(
        folder / "samples",
        title="Corpus of the small CLIP",
        note="Drawn, rendered and photographed things over wallpapers, with the caption that goes with each.",
        rows=[(said, {"image": shown.pixels}) for _, shown, said in rows[:24]],
    )


def _made_of(made: Picture) -> dict:
    thing = made.things[0]
    return {
        "name": thing.category,
        "coarse": thing.coarse,
        "style": thing.style,
        "background": made.background,
        "objects": [each.key for each in made.things],
        "source": thing.source,
        "licences": sorted({each.licence for each in made.things}),
    }
