"""What a trial reads, and how each training image is varied."""

from typing import Literal

from pydantic import Field

from paribus.recipe.components.augmentation import Colour, Erasing, Mix, Policy
from paribus.recipe.part import Part, added, bookkeeping, once_called


class Data(Part):
    """A dataset of tar shards and how batches are drawn from it.

    `name` is that of a dataset of ours, of a preset's, or a class of one's own as module:Name. `train_split` is what is
    trained on.

    `shards` says where they lie (a folder or URL; None: the named set under PARIBUS_HOME). Where data lie is no part of
    a trial's identity: the digest of their manifest is.

    `holdout` > 0 keeps that share of the training split apart, by a keyed hash of each sample's key, and evaluates on
    it: whatever is chosen by those results, `eval_split` has not been looked at. `train_fraction` is of the rest.
    """

    name: str = "digits"
    shards: str | None = bookkeeping(None)
    size: int | None = Field(None, ge=4, le=1024, description="side of the network's input in pixels; None: as stored")
    train_split: str = "train"
    eval_split: str = "test"
    train_fraction: float = Field(1.0, gt=0, le=1, description="share of the training samples, chosen by a keyed hash")
    holdout: float = added(0.0, ge=0, le=0.5, description="share of train_split to evaluate on instead of eval_split")
    batch_size: int = Field(64, ge=1, description="images of a training step, over all ranks")
    shuffle_shards: int = Field(64, ge=1, description="shards that the order of an epoch mixes at a time")
    decoding: Literal["fast", "exact"] = Field("fast", description="how random resized crops are decoded")
    eval_batch_size: int = bookkeeping(500, ge=1, description="images at a time in evaluation")
    max_undecodable: float = Field(0.001, ge=0, lt=1, description="share of training samples that may fail to decode")
    stages: tuple[str, ...] = added((), description="functions of yours, MODULE:NAME, from decoded sample to sample")
    cache: Literal["auto", "always", "never"] = bookkeeping(
        "auto", validation_alias=once_called("cache", "resident"), description="decoded images kept in memory"
    )
    sharing: Literal["auto", "never"] = bookkeeping(
        "auto", description="one reader for the trials of a node that read one stream"
    )

    @property
    def evaluated_on(self) -> str:
        """What a trial is evaluated on, for people: to stand before the word split."""
        return f"held-out {100 * self.holdout:g} % of the {self.train_split}" if self.holdout else self.eval_split


class Augment(Part):
    """Random variation of training images, drawn from (augment seed, epoch, sample key) alone.

    `crop` `pad`: reflect-pad by `pad` pixels, crop back at random (WRN, section 3). `crop` `random_resized`: a crop of
    `min_area` to the whole image with aspect 3/4 to 4/3 (Inception-v1, section 6). `cutout`: a square of that side set
    to the mean.
    `policy`, `colour`, `erasing`, `mix`: recipe/components/augmentation.py; `mix` is drawn from (augment seed, step).
    """

    crop: Literal["none", "pad", "random_resized"] = "none"
    pad: int = Field(4, ge=1, le=64, description="pixels; used where crop is 'pad'")
    min_area: float = Field(0.08, gt=0, le=1, description="share of the area; used where crop is 'random_resized'")
    flip: bool = Field(False, description="mirror left and right with probability 1/2")
    cutout: int = Field(0, ge=0, description="side of the square in pixels; 0: none")
    policy: Policy = added("none", description="of whole images, after crop and flip; or one's own of uint8 (C, H, W)")
    colour: Colour = added("none", description="after the policy")
    erasing: Erasing = added("none", description="of the network's input; or one's own of float32 (C, H, W)")
    mix: Mix = added("none", description="of the images and labels of a batch")
    normalise: bool = Field(True, description="per-channel mean 0, sd 1 over the training split, as its manifest says")
