"""BN-Inception (Ioffe and Szegedy 2015, arXiv 1502.03167), figure 5."""

from paribus.models.families.googlenet import Row, counted, googlenet
from paribus.models.families.inception_blocks import InceptionNet
from paribus.recipe.families.inception_v2 import InceptionV2

# Columns: #1x1, #3x3 reduce, #3x3, double #3x3 reduce, double #3x3, pool proj, pool.
_GRID_3 = (
    Row(64, 64, 64, 64, 96, 32, "average"),
    Row(64, 64, 96, 64, 96, 64, "average"),
)
_3C = Row(0, 128, 160, 64, 96, 0, "max", stride=2)
_GRID_4 = (
    Row(224, 64, 96, 96, 128, 128, "average"),
    Row(192, 96, 128, 96, 128, 128, "average"),
    Row(160, 128, 160, 128, 160, 128, "average"),
    Row(96, 128, 192, 160, 192, 128, "average"),
)
_4E = Row(0, 128, 192, 192, 256, 0, "max", stride=2)
_GRID_5 = (
    Row(352, 192, 320, 160, 224, 128, "average"),
    Row(352, 192, 320, 192, 224, 128, "max"),
)


def inception_v2(model: InceptionV2, in_channels: int, num_classes: int) -> InceptionNet:
    """Stem, modules 3a to 5b of which 3c and 4e halve the grid, classifier."""
    grid_3, grid_4, grid_5 = model.blocks
    rows = [
        [*counted(_GRID_3, grid_3 - 1), _3C],
        [*counted(_GRID_4, grid_4 - 1), _4E],
        counted(_GRID_5, grid_5),
    ]
    # The Caffe release leaves the epsilon of its batch norms at 1e-5.
    return googlenet(model, rows, {}, 1e-5, in_channels, num_classes)
