"""Detectors of two families over the small network: FCOS (one stage, no anchors) and Faster R-CNN (two stages).

Both are torchvision's, with its calling convention: a list of C x H x W images in [0, 1] in, and in evaluation a list
of {"boxes" (xyxy), "labels" (1..classes), "scores"} out.
"""

from collections import OrderedDict

from torch import Tensor, nn
from torchvision.models.detection import FCOS, FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.fcos import FCOSHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

from gauntlet.models.convnet import DEVIATION, MEAN, Stages


class PyramidBackbone(nn.Module):
    """The small network's strides 8, 16 and 32 under a feature pyramid.

    Attributes:
        out_channels: Channels of every level.
    """

    def __init__(self, *, width: int, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.body = Stages(width=width)
        self.pyramid = FeaturePyramidNetwork(list(self.body.channels[1:]), out_channels)

    def forward(self, x: Tensor) -> "OrderedDict[str, Tensor]":
        """Return three levels of features, finest first."""
        features = self.body(x)
        features.pop("0")
        return self.pyramid(features)


def fcos(*, classes: int, size_px: int = 160, width: int = 32) -> FCOS:
    """Build FCOS (Tian et al., ICCV 2019) with a light head.

    Args:
        classes: Number of classes, without the background.
        size_px: Shorter side to which images are scaled.
        width: Channels of the network's first stage.
    """
    backbone = PyramidBackbone(width=width, out_channels=64)
    anchors = AnchorGenerator(((8,), (16,), (32,)), ((1.0,),) * 3)
    head = FCOSHead(64, 1, classes + 1, num_convs=2)
    return FCOS(
        backbone,
        classes + 1,
        min_size=size_px,
        max_size=4 * size_px,
        image_mean=MEAN,
        image_std=DEVIATION,
        anchor_generator=anchors,
        head=head,
        center_sampling_radius=1.5,
        score_thresh=0.05,
        nms_thresh=0.5,
        detections_per_img=100,
        topk_candidates=200,
    )


def faster_rcnn(*, classes: int, size_px: int = 160, width: int = 32) -> FasterRCNN:
    """Build Faster R-CNN (Ren et al., NeurIPS 2015) with a light second stage; arguments as in `fcos`."""
    backbone = PyramidBackbone(width=width, out_channels=64)
    return FasterRCNN(
        backbone,
        min_size=size_px,
        max_size=4 * size_px,
        image_mean=MEAN,
        image_std=DEVIATION,
        rpn_anchor_generator=AnchorGenerator(((32,), (64,), (112,)), ((0.5, 1.0, 2.0),) * 3),
        rpn_pre_nms_top_n_train=200,
        rpn_post_nms_top_n_train=100,
        rpn_pre_nms_top_n_test=100,
        rpn_post_nms_top_n_test=50,
        rpn_batch_size_per_image=64,
        box_roi_pool=MultiScaleRoIAlign(["1", "2", "3"], 5, 2),
        box_head=TwoMLPHead(64 * 5 * 5, 256),
        box_predictor=FastRCNNPredictor(256, classes + 1),
        box_batch_size_per_image=32,
        box_score_thresh=0.05,
        box_detections_per_img=100,
    )


DETECTORS = {build.__name__: build for build in (fcos, faster_rcnn)}
