"""The weights that a trial leaves: what was evaluated, whole, and read without running anything."""

import io
import os
import pickle

import numpy as np
import pytest
import torch

from paribus.models.build import build
from paribus.recipe import Recipe, Seeds
from paribus.training import TrainingError, fit
from paribus.training.checkpoints.weights import decode_weights, encode_weights


def test_weights_come_back_bit_for_bit_and_own_their_memory(tiny: Recipe) -> None:
    net = build(tiny.model, 1, 10, init_seed=3)
    classifier, large = net.head.classifier.weight, torch.zeros(1_000_000)
    large[: classifier.numel()] = classifier.detach().flatten()
    classifier.data = large[: classifier.numel()].view_as(classifier)
    data = encode_weights(net)
    assert len(data) < 4 * sum(p.numel() for p in net.parameters()) + 60_000, "not the vector that it is a view of"
    found = decode_weights(data)
    assert list(found) == list(net.state_dict())
    for name, tensor in net.state_dict().items():
        assert torch.equal(found[name], tensor)


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_a_trials_weights_are_those_of_its_last_evaluation(
    feed,
    tiny: Recipe,
    seeds: Seeds,
    ema_decay: float | None,  # type: ignore[no-untyped-def]
) -> None:
    recipe = tiny.replace({"training.ema_decay": ema_decay})
    result = fit(recipe, seeds, feed)
    assert result.weights is not None
    assert result.examples is not None
    net = build(recipe.model, feed.channels, feed.num_classes)
    net.load_state_dict(decode_weights(result.weights))
    net.eval()
    with torch.inference_mode():
        batches = [(net(batch.images), batch.labels) for batch in feed.evaluation()]
    likelihood = torch.cat([logits.log_softmax(1).gather(1, labels[:, None]) for logits, labels in batches]).squeeze(1)
    np.testing.assert_array_equal(likelihood.numpy(), result.examples.log_likelihood)


def test_weights_that_are_not_to_be_kept_change_nothing_else(feed, tiny: Recipe, seeds: Seeds) -> None:  # type: ignore[no-untyped-def]
    kept, not_kept = fit(tiny, seeds, feed), fit(tiny.replace({"evaluation.keep_weights": False}), seeds, feed)
    assert not_kept.weights is None
    np.testing.assert_array_equal(kept.curves["loss"], not_kept.curves["loss"])
    assert kept.metrics["log_likelihood"] == not_kept.metrics["log_likelihood"]
    assert "weights" not in repr(kept), "a result is printed in notebooks"


def test_a_diverged_trial_leaves_none(feed, tiny: Recipe, seeds: Seeds) -> None:  # type: ignore[no-untyped-def]
    result = fit(tiny.replace({"training.divergence_loss": 1e-6}), seeds, feed)
    assert (result.outcome, result.weights) == ("diverged", None)


class Trap:
    """What a pickle that runs code looks like."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("sprung",)


def test_what_is_no_weights_is_refused_and_runs_nothing(tiny: Recipe, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    trap = io.BytesIO()
    torch.save({"format": 1, "net": Trap()}, trap)
    cut = encode_weights(build(tiny.model, 1, 10))[:-1000]
    other = io.BytesIO()
    torch.save({"format": 2}, other)
    for data in (b"", b"no zip", pickle.dumps(Trap(), protocol=2), trap.getvalue(), cut, other.getvalue()):
        with pytest.raises(TrainingError, match="no weights of a trial"):
            decode_weights(data)
    assert not list(tmp_path.iterdir())
