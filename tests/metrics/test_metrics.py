"""The formulas of the metrics, each against another implementation of it, and what every metric must say of itself."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, log_loss, top_k_accuracy_score

from paribus.metrics.examples import COLUMNS, Examples
from paribus.metrics.known import METRICS, values_of
from paribus.metrics.metric import Metric, MetricError
from paribus.metrics.per_class import per_class
from paribus.training.evaluation.scores import examples_of

NUM_CLASSES = 7


@pytest.fixture(scope="module")
def probabilities() -> np.ndarray:
    """(600, 7): a net that is often right and too sure."""
    draw = np.random.default_rng(0)
    logits = 2 * draw.normal(size=(600, NUM_CLASSES))
    logits[np.arange(600), labels()] += 2
    odds = np.exp(logits)
    return odds / odds.sum(1, keepdims=True)


def labels() -> np.ndarray:
    """(600,) of classes of unequal frequency, one of which has no example."""
    return np.random.default_rng(1).choice([0, 1, 2, 3, 4, 6], 600, p=[0.4, 0.2, 0.2, 0.1, 0.05, 0.05])


@pytest.fixture(scope="module")
def examples(probabilities: np.ndarray) -> Examples:
    return examples_of(probabilities, labels())


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_every_metric_is_what_another_implementation_says(probabilities: np.ndarray, examples: Examples) -> None:
    found, classes, truth = values_of(examples), np.arange(NUM_CLASSES), labels()
    one_hot = np.eye(NUM_CLASSES)[truth]
    expected = {
        "top1": 100 * top_k_accuracy_score(truth, probabilities, k=1, labels=classes),
        "top5": 100 * top_k_accuracy_score(truth, probabilities, k=5, labels=classes),
        "log_likelihood": -log_loss(truth, probabilities, labels=classes),
        "eval_loss": log_loss(truth, probabilities, labels=classes),
        "balanced_accuracy": 100 * balanced_accuracy_score(truth, probabilities.argmax(1)),
        "brier": ((probabilities - one_hot) ** 2).sum(1).mean(),
        "ece": calibration_error(probabilities, truth),
    }
    assert found == pytest.approx(expected)
    assert list(found) == list(METRICS), "a metric that this test has no other implementation of"
    assert found["balanced_accuracy"] < found["top1"] - 1, "classes of equal frequency would show nothing"


def calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Bin by bin, as Guo et al. (2017) write it in equations 2 and 3."""
    total, edges = 0.0, np.arange(16) / 15
    for low, high in itertools.pairwise(edges):
        inside = [row for row in range(len(truth)) if low < probabilities[row].max() <= high]
        if inside:
            accuracy = np.mean([probabilities[row].argmax() == truth[row] for row in inside])
            confidence = np.mean([probabilities[row].max() for row in inside])
            total += len(inside) / len(truth) * abs(accuracy - confidence)
    return 100 * total


def test_calibration_errors_known_by_hand() -> None:
    def ece(confidence: list[float], right: list[int]) -> float | None:
        kept = Examples(top_probability=np.array(confidence, np.float32), correct=np.array(right, bool))
        return METRICS["ece"].of(kept)

    assert ece([1.0, 1.0], [1, 1]) == 0.0
    assert ece([1.0, 1.0], [0, 0]) == 100.0
    assert ece([0.75, 0.75, 0.75, 0.75], [1, 1, 1, 0]) == 0.0
    # Two bins, each off by a quarter, in opposite ways: they do not cancel.
    assert ece([0.75, 0.75, 0.25, 0.25], [1, 1, 0, 0]) == 25.0
    # One bin, in which they do.
    assert ece([0.75, 0.75, 0.75, 0.75], [1, 1, 1, 0]) == 0.0
    assert ece([0.0, 1.0], [0, 1]) == 0.0, "the outermost edges belong to bins"


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_values_per_example_have_the_metric_as_their_mean(metric: Metric, examples: Examples) -> None:
    values = metric.values(examples)
    if values is None:
        assert metric.overall is not None
        return
    assert values.shape == (600,)
    assert metric.scale * values.astype(float).mean() == pytest.approx(metric.of(examples))
    other = examples.taken(np.arange(599, -1, -1))
    differences = metric.differences(examples, other)
    assert differences is not None
    assert differences.mean() == pytest.approx(0, abs=1e-9)
    assert metric.is_accuracy == (values.dtype == bool)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_says_all_that_tables_write(metric: Metric) -> None:
    assert metric.short
    assert metric.label
    assert metric.unit
    assert metric.of_level
    assert metric.sd > 0
    assert set(metric.needs) <= set(COLUMNS)
    assert metric.needs
    assert not metric.negative_of or METRICS[metric.negative_of].sign == -metric.sign
    assert metric.show(1 / 3) in ("0.33", "0.3333")
    assert metric.show(1 / 3, "+").startswith("+0.33")


def test_a_better_net_is_better_by_every_metrics_sign(probabilities: np.ndarray) -> None:
    truth = labels()
    better = 0.3 * probabilities + 0.7 * np.eye(NUM_CLASSES)[truth]
    worse = 0.3 * probabilities + 0.7 * np.eye(NUM_CLASSES)[(truth + 1) % NUM_CLASSES]
    good, bad = (values_of(examples_of(each, truth)) for each in (better, worse))
    assert good.keys() == METRICS.keys()
    assert all(metric.sign * (good[name] - bad[name]) > 0 for name, metric in METRICS.items() if name != "top5")


def test_one_example_is_the_smallest_step_of_an_accuracy_and_a_mean_in_nats_has_none() -> None:
    for name in ("top1", "top5", "balanced_accuracy"):
        assert METRICS[name].resolution(400) == 0.25
        assert METRICS[name].resolution(None) == 0.0
    for name in ("log_likelihood", "eval_loss", "brier", "ece"):
        assert METRICS[name].resolution(400) == 0.0


def test_a_metric_whose_columns_were_not_kept_has_no_value(examples: Examples) -> None:
    old = Examples(correct=examples.correct, log_likelihood=examples.log_likelihood)
    assert list(values_of(old)) == ["top1", "log_likelihood", "eval_loss"]
    assert METRICS["brier"].of(old) is METRICS["brier"].values(old) is None
    assert METRICS["brier"].differences(examples, old) is None
    assert values_of(Examples()) == {}
    fewer = examples.taken(np.arange(9))
    assert METRICS["top1"].differences(examples, fewer) is None


def test_each_class_has_its_accuracy_and_what_it_is_taken_for(probabilities: np.ndarray, examples: Examples) -> None:
    table = confusion_matrix(labels(), probabilities.argmax(1), labels=np.arange(NUM_CLASSES))
    rows = per_class(examples)
    assert [row.label for row in rows] == [0, 1, 2, 3, 4, 6], "class 5 has no example"
    for row in rows:
        counts = table[row.label].copy()
        assert (row.n, row.right) == (counts.sum(), counts[row.label])
        counts[row.label] = 0
        assert row.taken_for == counts.argmax()
    right = examples_of(np.eye(NUM_CLASSES)[labels()], labels())
    assert all(row.taken_for is None and row.right == row.n for row in per_class(right))
    with pytest.raises(ValueError, match="no column 'label'"):
        per_class(Examples(correct=np.ones(2, bool)))


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"correct \(2,\), log_likelihood \(3,\)"):
        Examples(correct=np.zeros(2, bool), log_likelihood=np.zeros(3, np.float32))
    with pytest.raises(ValueError, match=r"keys \(1,\)"):
        Examples(correct=np.zeros(2, bool), keys=["a"])


def test_what_is_no_metric_is_refused_with_what_is_wrong() -> None:
    told = {"short": "x", "label": "x", "unit": "x", "sd": 1.0, "needs": ("correct",)}
    with pytest.raises(MetricError, match="'x' has no value: give it per_example, overall or both"):
        Metric(name="x", **told)
    for changes, said in (
        ({"needs": ("logits",)}, "needs 'logits': examples have label"),
        ({"sign": 0}, "has sign 0"),
        ({"sd": 0.0}, "sd 0 and"),
        ({"step": -1.0}, "step -1"),
    ):
        with pytest.raises(MetricError, match=said):
            Metric(name="x", overall=lambda examples: 0.0, **{**told, **changes})


def test_the_room_loads_neither_numpy_nor_torch() -> None:
    code = (
        "import sys, paribus.metrics.known;"
        "print(len(paribus.metrics.known.METRICS), [name for name in ('numpy', 'torch') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == f"{len(METRICS)} []"
