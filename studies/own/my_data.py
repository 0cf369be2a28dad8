"""A dataset of one's own, and a stage: fixed={"data.name": "my_data:Coins", "data.stages": ("my_data:stretched",)}."""

import numpy as np
from skimage.data import coins


class Coins:
    """Pieces of 24x24 pixels of a picture of coins: is the middle metal or ground? Its lower third is the test."""

    classes = ("ground", "metal")

    def __init__(self, split):
        self.picture = coins()
        self.corners = [(y, x) for y in range(204, 279, 6) if split == "test" for x in range(0, 360, 6)]
        self.corners += [(y, x) for y in range(0, 180, 6) if split == "train" for x in range(0, 360, 6)]

    def __len__(self):
        return len(self.corners)

    def __getitem__(self, row):
        y, x = self.corners[row]
        return self.picture[y : y + 24, x : x + 24], int(np.median(self.picture[y + 8 : y + 16, x + 8 : x + 16]) > 110)


def stretched(sample):
    """Grey levels between the 2nd and the 98th percentile of each image take the whole range."""
    low, high = np.percentile(sample["image"], (2, 98))
    share = ((sample["image"] - low) / max(high - low, 1)).clip(0, 1)
    return {**sample, "image": (255 * share).round().astype(np.uint8)}
