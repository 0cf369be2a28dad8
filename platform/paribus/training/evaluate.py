"""The evaluation split, every key once."""

from collections.abc import Callable

import torch
from torch import Tensor

from paribus.training.errors import TrainingError
from paribus.training.feed_protocol import Batch, Feed
from paribus.training.result import Examples

Predict = Callable[[Batch], tuple[Tensor, Tensor]]


@torch.inference_mode()
def evaluate(predict: Predict, feed: Feed) -> tuple[dict[str, float], Examples]:
    """Metrics and per-sample results; `predict` gives a batch's (pooled features (N, F), logits (N, K) float32).

    A tie between logits goes to the class of lower number, so that a net with constant logits is no better than chance.

    Raises:
        TrainingError: the feed gave other samples than `eval_keys` and `num_eval` promise.
    """
    top1, top5, log_likelihood, predicted, peaks = [], [], [], [], []
    keys: list[str] = []
    for batch in feed.evaluation():
        pooled, logits = predict(batch)
        labels = batch.labels.to(logits.device, non_blocking=True)
        guess = logits.argmax(1)
        hit = guess == labels
        among = logits.topk(min(5, feed.num_classes)).indices == labels[:, None]
        top1.append(hit)
        top5.append(among.any(1) | hit)
        log_likelihood.append(logits.log_softmax(1).gather(1, labels[:, None]).squeeze(1))
        predicted.append(guess)
        # Dead is zero: nets that end in a sum or a tanh gate have channels below zero that learn.
        peaks.append(pooled.abs().amax(0))
        keys.extend(batch.keys)
    _check_keys(keys, feed)
    correct = torch.cat(top1)
    likelihood = torch.cat(log_likelihood).float().cpu()
    mean = float(likelihood.double().mean())
    metrics = {
        "top1": 100 * float(correct.double().mean()),
        "top5": 100 * float(torch.cat(top5).double().mean()),
        "log_likelihood": mean,
        "eval_loss": -mean,
        "dead_channels": float((torch.stack(peaks).amax(0) == 0).double().mean()),
        "predicted_classes": float(len(set(torch.cat(predicted).tolist()))),
    }
    return metrics, Examples(keys=feed.eval_keys, correct=correct.cpu().numpy(), log_likelihood=likelihood.numpy())


def _check_keys(keys: list[str], feed: Feed) -> None:
    if len(keys) != feed.num_eval:
        raise TrainingError(
            f"the evaluation gave {len(keys)} samples where its manifest promises {feed.num_eval}; "
            "run `paribus shards verify` on the dataset"
        )
    if keys != list(feed.eval_keys):
        raise TrainingError("the evaluation gave other samples, or in another order, than the feed's eval_keys say")
