"""GoogLeNet (Szegedy et al. 2015, arXiv 1409.4842), table 1."""

from paribus.models.families.googlenet import Row, counted, googlenet
from paribus.models.families.inception_blocks import InceptionNet, Pool
from paribus.recipe.families.inception_v1 import InceptionV1

# Columns: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
_GRID_3 = (
    Row(64, 96, 128, 16, 32, 32),
    Row(128, 128, 192, 32, 96, 64),
)
_GRID_4 = (
    Row(192, 96, 208, 16, 48, 64),
    Row(160, 112, 224, 24, 64, 64),
    Row(128, 128, 256, 24, 64, 64),
    Row(112, 144, 288, 32, 64, 64),
    Row(256, 160, 320, 32, 128, 128),
)
_GRID_5 = (
    Row(256, 160, 320, 32, 128, 128),
    Row(384, 192, 384, 48, 128, 128),
)


def inception_v1(model: InceptionV1, in_channels: int, num_classes: int) -> InceptionNet:
    """Stem, modules 3a to 5b with a max pool between two grids, classifier."""
    grids = zip((_GRID_3, _GRID_4, _GRID_5), model.blocks, strict=True)
    rows = [counted(table, count) for table, count in grids]
    ends = model.modules[model.blocks[0] - 1], model.modules[sum(model.blocks[:2]) - 1]
    pools = {
        ends[0]: Pool("max", 3, 2, "ceil"),
        ends[1]: Pool("max", 3 if model.last_pool == "3x3" else 2, 2, "ceil"),
    }
    return googlenet(model, rows, pools, 1e-3, in_channels, num_classes)
