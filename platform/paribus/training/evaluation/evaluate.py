"""The evaluation split, every key once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from paribus.training.errors import TrainingError
from paribus.training.feed_protocol import Batch, Feed
from paribus.training.ranks.group import ALONE, Ranks
from paribus.training.result import Examples

Predict = Callable[[Batch], tuple[Tensor, Tensor]]


@torch.inference_mode()
def evaluate(predict: Predict, feed: Feed, ranks: Ranks = ALONE) -> tuple[dict[str, float], Examples]:
    """Metrics and per-sample results; `predict` gives a batch's (pooled features (N, F), logits (N, K) float32).

    A tie between logits goes to the class of lower number, so that a net with constant logits is no better than chance.
    Each of the `ranks` asks about its share, and all get the results of all.

    Raises:
        TrainingError: the feed gave other samples than `eval_keys` and `num_eval` promise.
    """
    keys, judged = _judge(predict, feed)
    if ranks.size > 1:
        keys, judged = _of_all(ranks, feed, keys, judged)
    _check_keys(keys, feed)
    assert judged is not None, "a feed without evaluation samples is no feed"
    likelihood = judged.log_likelihood
    mean = float(likelihood.double().mean())
    metrics = {
        "top1": 100 * float(judged.top1.double().mean()),
        "top5": 100 * float(judged.top5.double().mean()),
        "log_likelihood": mean,
        "eval_loss": -mean,
        "dead_channels": float((judged.peaks.amax(0) == 0).double().mean()),
        "predicted_classes": float(len(set(judged.guess.tolist()))),
    }
    return metrics, Examples(
        keys=feed.eval_keys,
        correct=judged.top1.numpy(),
        log_likelihood=likelihood.numpy(),
        most_frequent=int(judged.labels.bincount().max()),
    )


@dataclass(frozen=True)
class _Judged:
    """What a net makes of n samples: (n,) each, on the CPU; `peaks` (m, F) the largest features of m batches."""

    top1: Tensor
    top5: Tensor
    log_likelihood: Tensor
    guess: Tensor
    labels: Tensor
    peaks: Tensor

    @classmethod
    def joined(cls, parts: Sequence["_Judged"]) -> "_Judged":
        """One after the other."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]).cpu() for field in fields(cls)))

    def taken(self, order: list[int]) -> "_Judged":
        """The samples in another order."""
        of_each = {field.name: getattr(self, field.name)[order] for field in fields(self) if field.name != "peaks"}
        return replace(self, **of_each)


def _judge(predict: Predict, feed: Feed) -> tuple[list[str], _Judged | None]:
    """Of this rank's samples, which may be none, their keys and what is made of them."""
    keys: list[str] = []
    parts = []
    for batch in feed.evaluation():
        pooled, logits = predict(batch)
        labels = batch.labels.to(logits.device, non_blocking=True)
        guess = logits.argmax(1)
        hit = guess == labels
        among = logits.topk(min(5, feed.num_classes)).indices == labels[:, None]
        likelihood = logits.log_softmax(1).gather(1, labels[:, None]).squeeze(1).float()
        # Dead is zero: nets that end in a sum or a tanh gate have channels below zero that learn.
        parts.append(_Judged(hit, among.any(1) | hit, likelihood, guess, labels, pooled.abs().amax(0)[None]))
        keys.extend(batch.keys)
    return keys, _Judged.joined(parts) if parts else None


def _of_all(ranks: Ranks, feed: Feed, keys: list[str], judged: _Judged | None) -> tuple[list[str], _Judged | None]:
    """The samples of all ranks in the order of `feed.eval_keys`, those that are not in it last."""
    shares = ranks.exchange((keys, judged))
    place = {key: number for number, key in enumerate(feed.eval_keys)}
    keys = [key for share, _ in shares for key in share]
    order = sorted(range(len(keys)), key=lambda row: place.get(keys[row], len(place)))
    parts = [part for _, part in shares if part is not None]
    return [keys[row] for row in order], _Judged.joined(parts).taken(order) if parts else None


def _check_keys(keys: list[str], feed: Feed) -> None:
    if len(keys) != feed.num_eval:
        raise TrainingError(
            f"the evaluation gave {len(keys)} samples where its manifest promises {feed.num_eval}; "
            "run `paribus shards verify` on the dataset"
        )
    if keys != list(feed.eval_keys):
        raise TrainingError("the evaluation gave other samples, or in another order, than the feed's eval_keys say")
