"""The whole suite computes with one thread, as the stages do."""

import torch

torch.set_num_threads(1)
