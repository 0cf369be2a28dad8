"""What a train state asks of a feed before the first batch, for tests that give it batches of their own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FeedShapes:
    """The channels of images, and the classes of labels."""

    channels: int
    num_classes: int
