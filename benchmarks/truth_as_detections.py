"""Feed the ground truth of every built COCO-O domain back as detections: AP must be 1 in each.

Run as `python benchmarks/truth_as_detections.py [data/built/coco_o]`.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from gauntlet.boxes import Results
from gauntlet.metrics.detection import average_precision
from gauntlet.readers.coco import read_coco_o


def main() -> int:
    """Print one Markdown table; exit 1 where an AP is not 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("data/built/coco_o"))
    folder = parser.parse_args().folder
    print("| domain | images | boxes | AP |\n|---|---|---|---|")
    worst = 1.0
    for name, data in read_coco_o(folder).items():
        truth = data.truth
        found = Results(truth.image_id, truth.category_id, truth.boxes_xywh, np.ones(len(truth)))
        score = average_precision(truth, found)
        worst = min(worst, score.ap)
        print(f"| {name} | {score.images} | {score.boxes} | {score.ap:.6f} |")
    return int(worst < 1 - 1e-9)


if __name__ == "__main__":
    sys.exit(main())
