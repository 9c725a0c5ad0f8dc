"""Deep-Emotion: four narrow convolutions behind a spatial transformer (Minaee and Abdolrashidi, arXiv 1902.01019).

The transformer (Jaderberg et al., arXiv 1506.02025) lets the network crop, turn and enlarge the face before it looks.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mien.networks.layers import sequence
from mien.networks.registry import register
from mien.preprocess import PreprocessSpec


class SpatialTransformer(nn.Module):
    """Resamples each 48x48 face by an affine map that is computed from the face; at first by the identity."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.localization = sequence(
            conv1=nn.Conv2d(channels, 8, 7),
            pool1=nn.MaxPool2d(2),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(8, 10, 5),
            pool2=nn.MaxPool2d(2),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            fc1=nn.Linear(10 * 8 * 8, 32),
            relu3=nn.ReLU(),
        )
        self.affine = nn.Linear(32, 6)
        nn.init.zeros_(self.affine.weight)
        with torch.no_grad():
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        """Float (N, channels, 48, 48) to the same shape; what lies outside the face is 0."""
        maps = self.affine(self.localization(x)).view(-1, 2, 3)
        # Autocast leaves float64 alone; a grid in bfloat16 would misplace pixels by up to a tenth. MPS has none.
        exact = maps.float() if maps.device.type == "mps" else maps.double()
        grid = F.affine_grid(exact, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid.to(x.dtype), align_corners=False)


@register(preprocess=PreprocessSpec(input_size=48, std=0.5), origin="Deep-Emotion, arXiv 1902.01019 (S2)")
def deep_emotion(classes: int, channels: int) -> nn.Module:
    """66,877 parameters, 3,915,450 multiply-adds (the resampling not counted)."""
    return sequence(
        transformer=SpatialTransformer(channels),
        conv1=nn.Conv2d(channels, 10, 3),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(10, 10, 3),
        pool2=nn.MaxPool2d(2),
        relu2=nn.ReLU(),
        conv3=nn.Conv2d(10, 10, 3),
        relu3=nn.ReLU(),
        conv4=nn.Conv2d(10, 10, 3),
        norm4=nn.BatchNorm2d(10),
        pool4=nn.MaxPool2d(2),
        relu4=nn.ReLU(),
        dropout=nn.Dropout(0.5),
        flatten=nn.Flatten(),
        fc1=nn.Linear(10 * 9 * 9, 50),
        relu5=nn.ReLU(),
        fc2=nn.Linear(50, classes),
    )
