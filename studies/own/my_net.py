"""A model family of one's own: name it in a study beside this file as model="my_net:TinyNet"."""

from itertools import pairwise

from pydantic import BaseModel, Field
from torch import Tensor, nn


class Config(BaseModel):
    channels: int = Field(16, ge=1)
    num_blocks: int = Field(2, ge=1, le=8)


class TinyNet(nn.Module):
    """`num_blocks` of conv, batch norm, ReLU, then the average and a classifier: (N, C, H, W) to (N, classes)."""

    def __init__(self, config: Config, in_channels: int, num_classes: int) -> None:
        super().__init__()
        widths = [in_channels, *[config.channels] * config.num_blocks]
        blocks = (
            nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU()) for i, o in pairwise(widths)
        )
        self.blocks, self.classifier = nn.Sequential(*blocks), nn.Linear(config.channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.blocks(images).mean((2, 3)))
