"""The evaluation split, every key once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paribus.metrics.examples import Examples
from paribus.metrics.known import values_of
from paribus.training.errors import TrainingError
from paribus.training.evaluation.marks import Marks
from paribus.training.feed_protocol import Batch, Feed
from paribus.training.ranks.group import ALONE, Ranks

Predict = Callable[[Batch], tuple[Tensor, Tensor]]


@torch.inference_mode()
def evaluate(predict: Predict, feed: Feed, ranks: Ranks = ALONE) -> tuple[dict[str, float], Examples]:
    """Metrics and per-sample results; `predict` gives a batch's (pooled features (N, F), logits (N, K) float32).

    The metrics are those that are logged at every evaluation; `values_of` has all of them from the samples' results.
    Each of the `ranks` asks about its share, and all get the results of all.

    Raises:
        TrainingError: the feed gave other samples than `eval_keys` and `num_eval` promise.
    """
    keys, judged = _judge(predict, feed)
    if ranks.size > 1:
        keys, judged = _of_all(ranks, feed, keys, judged)
    _check_keys(keys, feed)
    assert judged is not None, "a feed without evaluation samples is no feed"
    examples = judged.marks.examples(feed.eval_keys)
    metrics = {
        **values_of(examples, torch_mean, every_epoch=True),
        "dead_channels": float((judged.peaks.amax(0) == 0).double().mean()),
        "predicted_classes": float(len(set(judged.marks.predicted.tolist()))),
    }
    return metrics, examples


def torch_mean(values: NDArray[Any]) -> float:
    """The mean in float64 as torch sums it: results of every release so far are to the last bit."""
    return float(torch.from_numpy(np.ascontiguousarray(values)).double().mean())


@dataclass(frozen=True)
class _Judged:
    """What a net makes of n samples, on the CPU; `peaks` (m, F) are the largest features of m batches."""

    marks: Marks
    peaks: Tensor

    @classmethod
    def joined(cls, parts: Sequence["_Judged"]) -> "_Judged":
        """One after the other."""
        return cls(Marks.joined([part.marks for part in parts]), torch.cat([part.peaks for part in parts]).cpu())


def _judge(predict: Predict, feed: Feed) -> tuple[list[str], _Judged | None]:
    """Of this rank's samples, which may be none, their keys and what is made of them."""
    keys: list[str] = []
    parts = []
    for batch in feed.evaluation():
        pooled, logits = predict(batch)
        labels = batch.labels.to(logits.device, non_blocking=True)
        log_probabilities = logits.log_softmax(1)
        likelihood = log_probabilities.gather(1, labels[:, None]).squeeze(1).float()
        # Dead is zero: nets that end in a sum or a tanh gate have channels below zero that learn.
        peaks = pooled.abs().amax(0)[None]
        parts.append(_Judged(Marks.of(logits, log_probabilities.exp(), likelihood, labels), peaks))
        keys.extend(batch.keys)
    return keys, _Judged.joined(parts) if parts else None


def _of_all(ranks: Ranks, feed: Feed, keys: list[str], judged: _Judged | None) -> tuple[list[str], _Judged | None]:
    """The samples of all ranks in the order of `feed.eval_keys`, those that are not in it last."""
    shares = ranks.exchange((keys, judged))
    place = {key: number for number, key in enumerate(feed.eval_keys)}
    keys = [key for share, _ in shares for key in share]
    order = sorted(range(len(keys)), key=lambda row: place.get(keys[row], len(place)))
    parts = [part for _, part in shares if part is not None]
    if not parts:
        return [keys[row] for row in order], None
    joined = _Judged.joined(parts)
    return [keys[row] for row in order], replace(joined, marks=joined.marks.taken(order))


def _check_keys(keys: list[str], feed: Feed) -> None:
    if len(keys) != feed.num_eval:
        raise TrainingError(
            f"the evaluation gave {len(keys)} samples where its manifest promises {feed.num_eval}; "
            "run `paribus shards verify` on the dataset"
        )
    if keys != list(feed.eval_keys):
        raise TrainingError("the evaluation gave other samples, or in another order, than the feed's eval_keys say")
