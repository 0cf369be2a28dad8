"""Label smoothing, clipping and averaging against slow plain formulas."""

import numpy as np
import pytest
import torch

from paribus.recipe import Recipe, Seeds
from paribus.training.functional import average, clip, ema_decay_at, gradient_norm, smoothed_loss
from paribus.training.train_state import TrainState

GENERATOR = torch.Generator().manual_seed(0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_the_loss_is_the_cross_entropy_with_the_smoothed_labels(smoothing: float) -> None:
    logits, labels = torch.randn(6, 4, generator=GENERATOR), torch.tensor([0, 1, 2, 3, 0, 1])
    scores = logits.double().numpy()
    log_p = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    q = (1 - smoothing) * np.eye(4)[labels.numpy()] + smoothing / 4
    assert smoothed_loss(logits, labels, smoothing).item() == pytest.approx(-(q * log_p).sum(1).mean(), rel=1e-5)


def test_a_gradient_above_the_bound_is_scaled_to_it_and_one_below_is_kept() -> None:
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])]
    norm = gradient_norm(gradients)
    assert norm.item() == pytest.approx(5)
    clip(gradients, norm, 10.0)
    assert gradients[0].tolist() == [3, 0]
    clip(gradients, norm, 2.0)
    assert gradient_norm(gradients).item() == pytest.approx(2)
    assert gradients[0][0].item() == pytest.approx(1.2)


def test_the_average_is_the_weighted_sum_of_all_weights_so_far() -> None:
    history = [torch.randn(5, generator=GENERATOR) for _ in range(30)]
    mean, counter = history[0].clone(), torch.tensor(0)
    expected = history[0].double().numpy()
    for step, now in enumerate(history[1:]):
        decay = min(0.95, (1 + step) / (10 + step))
        average([mean, counter], [now, torch.tensor(step)], ema_decay_at(step, 0.95))
        expected = decay * expected + (1 - decay) * now.double().numpy()
    np.testing.assert_allclose(mean.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert counter.item() == 28  # a counter is taken over, not averaged


def test_the_decay_rises_to_the_recipes_and_stays() -> None:
    decays = [ema_decay_at(step, 0.9) for step in range(200)]
    assert decays[0] == pytest.approx(0.1)
    assert decays == sorted(decays)
    assert decays[-1] == 0.9


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_each_auxiliary_head_adds_its_weighed_and_smoothed_loss_in_training_alone(
    precision: str, feed: object, seeds: Seeds
) -> None:
    heads = {"at": ("3a", "4a"), "weight": 0.7, "dropout": 0.0, "norm": "batch"}
    net = {"family": "inception_v1", "blocks": (1, 1, 1), "width": 0.1, "norm": "batch", "dropout": 0.0}
    recipe = Recipe().replace(
        {"model": {**net, "auxiliary": heads}, "training.label_smoothing": 0.2, "numerics.precision": precision}
    )
    train_state = TrainState(recipe, seeds, feed, torch.device("cpu"))  # type: ignore[arg-type]
    batch = next(feed.batches(0, 0, 0))  # type: ignore[attr-defined]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        pooled, sides = train_state.net.train().features(batch.images)
        logits = [train_state.net.head(pooled), *sides]
    target = 0.8 * torch.eye(10)[batch.labels] + 0.2 / 10
    losses = [-(target * each.double().log_softmax(1)).sum(1).mean() for each in logits]
    given = train_state.step(batch.images, batch.labels, 0, lr=0.1)[0]
    torch.testing.assert_close(given.double(), losses[0] + 0.7 * (losses[1] + losses[2]), atol=1e-4, rtol=0)
    assert train_state.net.eval().features(batch.images)[1] == ()
