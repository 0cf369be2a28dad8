"""What learns: a net, its optimizer and its average, on one device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from paribus.models.build import build
from paribus.models.dropout import Rows, dropout_layers, seed_dropout
from paribus.recipe import Recipe, Seeds
from paribus.training.device import autocast
from paribus.training.feed_protocol import Batch, Feed
from paribus.training.flat import parameter_groups
from paribus.training.functional import average, clip, ema_decay_at, gradient_norm
from paribus.training.losses import Loss
from paribus.training.mixing import mixing
from paribus.training.optimizers import make_optimizer
from paribus.training.ranks.group import ALONE, Ranks


class TrainState:
    """The net as `seeds.init` starts it; `step` trains it by one batch and `predict` asks it.

    On several `ranks` each has the whole net, which stays the same on all of them.
    """

    def __init__(self, recipe: Recipe, seeds: Seeds, feed: Feed, device: torch.device, ranks: Ranks = ALONE) -> None:
        self.training, self.numerics, self.device, self.ranks = recipe.training, recipe.numerics, device, ranks
        self.memory_format = torch.channels_last if recipe.numerics.channels_last else torch.contiguous_format
        self.net = build(recipe.model, feed.channels, feed.num_classes, seeds.init).to(device)
        if ranks.size > 1:
            # Here, for it loads torch's compiler, which one rank does without.
            from paribus.training.ranks.sync_batch_norm import sync_batch_norms

            sync_batch_norms(self.net, ranks)
        decayed, undecayed = parameter_groups(self.net, recipe.optimizer.decay_norms_and_biases, self.memory_format)
        self.vectors = [vector for vector in (decayed, undecayed) if vector is not None]
        self.gradients = [vector.grad for vector in self.vectors if vector.grad is not None]
        self.optimizer = make_optimizer(recipe.optimizer, decayed, undecayed, self.net)
        # Gradients of float16 below 6e-8 are zero (Micikevicius et al. 2018, arXiv 1710.03740, section 3.2).
        self.scaler = torch.amp.GradScaler(device.type, enabled=recipe.numerics.precision == "float16")
        self.loss, self.mix = Loss(recipe), mixing(recipe.augment.mix, feed.num_classes, seeds.augment)
        self.dropouts, self.dropout_seed = dropout_layers(self.net), seeds.dropout
        self.features = torch.compile(self.net.features) if recipe.numerics.compile else self.net.features
        # The running statistics are averaged like the weights, as the Inception code did (inception_train.py): those
        # of the last weights would not fit the averaged ones.
        self.current = [vector.detach() for vector in self.vectors] + list(self.net.buffers())
        self.averaged = [tensor.clone() for tensor in self.current] if self.training.ema_decay is not None else []

    def ready(self, batch: Batch) -> Tensor:
        """The images of a batch on the net's device and in its layout."""
        return batch.on(self.device, self.memory_format)

    def step(self, images: Tensor, labels: Tensor, step: int, lr: float, rows: Rows | None = None) -> Tensor:
        """Train by one batch; (loss, gradient norm before clipping, largest pooled feature in size) on the device.

        Where images and labels are a share of the batch, `rows` says which; what is returned is of the whole batch.
        """
        self._set_mode(training=True)
        if self.dropouts:
            seed_dropout(self.dropouts, self.dropout_seed, step, rows)
        targets = labels.to(self.device, non_blocking=True)
        if self.mix is not None:
            images, targets = self.mix(images, targets, step)
        pooled, logits, auxiliary = self._forward(images)
        loss = self._loss(logits, auxiliary, targets, rows)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        for gradient in self.gradients:
            self.ranks.add(gradient)
        self.scaler.unscale_(self.optimizer)
        norm = gradient_norm(self.gradients)
        if self.training.clip_norm is not None:
            clip(self.gradients, norm, self.training.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.scaler.step(self.optimizer)
        self.scaler.update()
        for gradient in self.gradients:
            gradient.zero_()
        if self.training.ema_decay is not None:
            average(self.averaged, self.current, ema_decay_at(step, self.training.ema_decay))
        largest = pooled.detach().abs().amax().float() if len(pooled) else norm.new_zeros(())
        of_ranks = self.ranks.gather(torch.stack((loss.detach(), largest)))
        return torch.stack((of_ranks[:, 0].sum(), norm, of_ranks[:, 1].amax()))

    def predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features (N, F) and logits (N, K) in evaluation mode."""
        self._set_mode(training=False)
        pooled, logits, _ = self._forward(images)
        return pooled, logits

    @contextmanager
    def evaluated_weights(self) -> Iterator[None]:
        """Within the block the net has the averaged weights where the recipe averages, and its own elsewhere."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Any]:
        """Net, optimizer and average, as `torch.load(weights_only=True)` reads them."""
        scaling = {"scaler": self.scaler.state_dict()} if self.scaler.is_enabled() else {}
        own = {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "averaged": self.averaged}
        return own | scaling

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave, bit for bit."""
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        for mine, saved in zip(self.averaged, state["averaged"], strict=True):
            mine.copy_(saved)

    def _set_mode(self, training: bool) -> None:
        # Setting it walks all modules, which on a narrow net is a hundredth of a step.
        if self.net.training is not training:
            self.net.train(training)

    def _forward(self, images: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        images = images.to(self.device, memory_format=self.memory_format, non_blocking=True)
        with autocast(self.device, self.numerics):
            pooled, auxiliary = self.features(images)
            return pooled, self.net.head(pooled).float(), [side.float() for side in auxiliary]

    def _loss(self, logits: Tensor, auxiliary: list[Tensor], targets: Tensor, rows: Rows | None) -> Tensor:
        total = None if rows is None else rows.total
        loss = self.loss(logits, targets, total)
        for side in auxiliary:
            loss = loss + self.net.auxiliary_weight * self.loss(side, targets, total)
        return loss

    @torch.no_grad()
    def _swap(self) -> None:
        for mine, averaged in zip(self.current, self.averaged, strict=False):
            kept = mine.clone()
            mine.copy_(averaged)
            averaged.copy_(kept)
