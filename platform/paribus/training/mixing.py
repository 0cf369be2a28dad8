"""Batches whose images and labels are mixed, by draws keyed by (augment seed, step): mixup, cutmix, or a user's own."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from paribus.keyed_draws import keyed
from paribus.recipe.components.component import Value, arguments_of, kind_of
from paribus.recipe.components.own import function
from paribus.recipe.errors import RecipeError
from paribus.recipe.seeds import key
from paribus.training.losses import probabilities

# Of images (N, C, H, W), labels (N,) int64 and the 0-based step: images, and probabilities (N, K).
Mix = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]


def mixing(value: Value, num_classes: int, augment_seed: int) -> Mix | None:
    """What mixes the batches of a replicate; None where nothing does."""
    kind, chosen = kind_of(value), arguments_of(value)
    if kind == "none":
        return None
    if kind in _OURS:
        mixed = _OURS[kind]

        def ours(images: Tensor, labels: Tensor, step: int) -> tuple[Tensor, Tensor]:
            generator = np.random.Generator(np.random.Philox(key(augment_seed, "mix", step)))
            return mixed(images, probabilities(labels, num_classes), generator, chosen["alpha"])

        return ours
    theirs = function(kind, "augmentation", chosen, "images", num_classes=num_classes)

    def own(images: Tensor, labels: Tensor, step: int) -> tuple[Tensor, Tensor]:
        with keyed(key(augment_seed, "mix", step)):
            found, targets = theirs(images, labels)
        if found.shape != images.shape or targets.shape not in (labels.shape, (len(labels), num_classes)):
            raise RecipeError(
                f"mix {kind!r} gave images {tuple(found.shape)} and targets {tuple(targets.shape)} of images "
                f"{tuple(images.shape)}: it should keep the images' shape, and give targets ({len(labels)}, "
                f"{num_classes})"
            )
        return found, targets

    return own


def mixup(images: Tensor, targets: Tensor, draw: np.random.Generator, alpha: float) -> tuple[Tensor, Tensor]:
    """`l x_i + (1 - l) x_j` and so the targets, l ~ Beta(alpha, alpha) (Zhang et al. 2018, arXiv 1710.09412)."""
    share, partners = draw.beta(alpha, alpha), _partners(images, draw)
    return images * share + images[partners] * (1 - share), targets * share + targets[partners] * (1 - share)


def cutmix(images: Tensor, targets: Tensor, draw: np.random.Generator, alpha: float) -> tuple[Tensor, Tensor]:
    """A box of x_j, whose sides are sqrt(1 - l) of the image's, over x_i; targets by area (Yun et al. 2019, arXiv
    1905.04899, section 3.1)."""
    height, width = images.shape[2:]
    side, partners = np.sqrt(1 - draw.beta(alpha, alpha)), _partners(images, draw)
    (top, bottom), (left, right) = (
        _span(int(draw.integers(length)), side * length, length) for length in (height, width)
    )
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images[partners][:, :, top:bottom, left:right]
    share = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, targets * share + targets[partners] * (1 - share)


_OURS = {"mixup": mixup, "cutmix": cutmix}


def _partners(images: Tensor, draw: np.random.Generator) -> Tensor:
    return torch.from_numpy(draw.permutation(len(images))).to(images.device)


def _span(centre: int, length: float, limit: int) -> tuple[int, int]:
    """From and to of what lies around `centre`, clipped at 0 and `limit`."""
    return max(0, int(centre - length / 2)), min(limit, int(centre + length / 2))
