"""Evaluation: every key once, honest ties, and numbers as numpy computes them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from paribus.training import TrainingError
from paribus.training.evaluation.evaluate import evaluate
from paribus.training.feed_protocol import Batch


def predicting(logits: torch.Tensor):  # type: ignore[no-untyped-def]
    """A predictor that deals out rows of `logits`, and features of which channel 1 is dead."""
    given = iter(logits.split(100))

    def predict(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        rows = next(given)
        assert len(rows) == len(batch.labels)
        return torch.tensor([[1.0, 0.0, 0.5, 0.0]]).expand(len(rows), 4), rows

    return predict


def test_metrics_are_those_of_the_formulas(feed) -> None:  # type: ignore[no-untyped-def]
    logits = torch.randn(feed.num_eval, 10, generator=torch.Generator().manual_seed(0))
    metrics, examples = evaluate(predicting(logits), feed)
    labels = torch.cat([batch.labels for batch in feed.evaluation()]).numpy()
    scores = logits.double().numpy()
    log_p = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    own = log_p[np.arange(len(labels)), labels]
    rank = (scores > scores[np.arange(len(labels)), labels][:, None]).sum(1)
    assert metrics["top1"] == pytest.approx(100 * (rank < 1).mean())
    assert metrics["top5"] == pytest.approx(100 * (rank < 5).mean())
    assert metrics["log_likelihood"] == pytest.approx(own.mean())
    assert metrics["eval_loss"] == -metrics["log_likelihood"]
    assert metrics["dead_channels"] == 0.5
    np.testing.assert_array_equal(examples.correct, rank < 1)
    np.testing.assert_allclose(examples.log_likelihood, own, rtol=1e-5)
    assert (examples.correct.dtype, examples.log_likelihood.dtype) == (np.bool_, np.float32)
    assert list(examples.keys) == feed.eval_keys


def test_a_channel_below_zero_is_not_dead(feed) -> None:  # type: ignore[no-untyped-def]
    dealt = predicting(torch.zeros(feed.num_eval, 10))

    def signed(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        features, logits = dealt(batch)
        return -features, logits

    assert evaluate(signed, feed)[0]["dead_channels"] == 0.5


def test_constant_logits_are_no_better_than_chance(feed) -> None:  # type: ignore[no-untyped-def]
    metrics, _ = evaluate(predicting(torch.zeros(feed.num_eval, 10)), feed)
    labels = torch.cat([batch.labels for batch in feed.evaluation()])
    assert metrics["top1"] == pytest.approx(100 * (labels == 0).double().mean().item())
    assert metrics["predicted_classes"] == 1
    assert metrics["log_likelihood"] == pytest.approx(-np.log(10))


def test_another_count_than_promised_is_an_error(feed) -> None:  # type: ignore[no-untyped-def]
    class Short(type(feed)):  # type: ignore[misc]
        def evaluation(self):  # type: ignore[no-untyped-def]
            yield from list(super().evaluation())[:-1]

    with pytest.raises(TrainingError, match="100 samples where its manifest promises 197"):
        evaluate(predicting(torch.zeros(197, 10)), Short())


def test_other_samples_than_promised_are_an_error(feed) -> None:  # type: ignore[no-untyped-def]
    class Doubled(type(feed)):  # type: ignore[misc]
        def evaluation(self):  # type: ignore[no-untyped-def]
            first, second = super().evaluation()
            yield replace(first, keys=[first.keys[0], *first.keys[:-1]])
            yield second

    with pytest.raises(TrainingError, match="other samples"):
        evaluate(predicting(torch.zeros(197, 10)), Doubled())
