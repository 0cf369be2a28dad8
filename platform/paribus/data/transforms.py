"""Transforms of single images from torchvision or a user, each image's draws keyed by (augment seed, epoch, sample)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paribus.data.augment import Draw
from paribus.images.decode import Pixels
from paribus.keyed_draws import keyed
from paribus.recipe.components.component import Value, arguments_of, kind_of
from paribus.recipe.components.own import function
from paribus.recipe.data import Augment
from paribus.recipe.errors import RecipeError

Transform = Callable[[Any], Any]
# A double has so many bits, which is what a uniform draw can tell apart.
_SEEDS = 2**53


def is_transformed(augment: Augment) -> bool:
    """Whether training images pass through transforms after crop and flip."""
    return augment.policy != "none" or augment.colour != "none"


def transformed(images: Pixels, augment: Augment, draw: Draw) -> Pixels:
    """(N, H, W, C) uint8 after `augment.policy` and `augment.colour`, in this order."""
    for value, purpose in ((augment.policy, "policy"), (augment.colour, "colour")):
        if value != "none":
            images = np.stack([_seen(transform_of(value), image, seed) for image, seed in _each(images, draw, purpose)])
    return images


def erased(images: Tensor, augment: Augment, draw: Draw) -> Tensor:
    """(N, C, H, W) float32 after an own `augment.erasing`."""
    seeds, change = _seeds(draw, "erasing"), transform_of(augment.erasing)
    found = []
    for image, seed in zip(images, seeds, strict=True):
        with keyed(seed):
            found.append(_checked(change(image), image, augment.erasing))
    return torch.stack(found) if found else images


def transform_of(value: Value) -> Transform:
    """The transform of one image (C, H, W), whose draws are torch's."""
    kind, chosen = kind_of(value), arguments_of(value)
    if ":" in kind:
        own: Transform = function(kind, "augmentation", chosen, "image")
        return own
    from torchvision.transforms import v2

    if kind == "rand_augment":
        made = v2.RandAugment(chosen["operations"], chosen["magnitude"])
    elif kind == "auto_augment":
        made = v2.AutoAugment(v2.AutoAugmentPolicy(chosen["policy"]))
    elif kind == "aug_mix":
        made = v2.AugMix(chosen["severity"], chosen["width"])
    else:
        made = v2.TrivialAugmentWide() if kind == "trivial_augment" else v2.ColorJitter(**chosen)
    transform: Transform = made
    return transform


def _seen(transform: Transform, image: Pixels, seed: int) -> Pixels:
    channels_first = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
    with keyed(seed):
        found = _checked(transform(channels_first), channels_first, transform)
    pixels: Pixels = found.permute(1, 2, 0).numpy()
    return pixels


def _checked(found: Any, image: Tensor, whose: object) -> Tensor:
    if not isinstance(found, Tensor) or found.shape != image.shape or found.dtype != image.dtype:
        shown = f"{found.dtype} {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise RecipeError(
            f"the augmentation {whose} made {shown} of an image {image.dtype} {tuple(image.shape)}: it should keep both"
        )
    return found


def _each(images: Pixels, draw: Draw, purpose: str) -> list[tuple[Pixels, int]]:
    return list(zip(images, _seeds(draw, purpose), strict=True))


def _seeds(draw: Draw, purpose: str) -> list[int]:
    seeds: list[int] = (draw.uniforms(purpose) * _SEEDS).astype(np.int64).tolist()
    return seeds
