"""A contrast over evaluation examples: which pairs tell it, what is refused and why, rows and figures."""

from __future__ import annotations

import numpy as np
import pytest
from reports import report_of

from paribus.metrics.examples import Examples
from paribus.report.drawing.figures.example_figures import classes_figure, confusion_figure, reliability_figure
from paribus.report.study_report import StudyReport
from paribus.report.views.example_report import (
    bin_rows,
    class_deltas,
    class_rows,
    confusion,
    example_pairs,
    flip_rows,
    flips,
    flips_sentence,
    reliability,
)
from paribus.study import Study
from paribus.study.plan import Trial

WIDTH = "model.width"
LABELS = np.repeat([0, 1, 2], 20).astype(np.int32)


def reported() -> StudyReport:
    study = Study(name="wide", factors={WIDTH: (1.0, 2.0)}, replicates=4, margin=5.0)

    def fate(trial: Trial) -> dict[str, float] | str:
        failed = trial.arm.as_dict()[WIDTH] == 2.0 and trial.replicate == 4
        return "diverged" if failed else {"top1": 90.0 + trial.replicate, "eval_loss": 1.0}

    return report_of(study, fate, num_eval=60)


def kept(report: StudyReport, **changed: object) -> dict[str, Examples]:
    """By run: the baseline has two images of class 1 wrong in every replicate, the arm one of class 0 in the first."""
    found = {}
    for row in report.begun:
        assert row.record is not None
        predicted = LABELS.copy()
        if row.arm.as_dict()[WIDTH] == 1.0:
            predicted[[20, 21]] = 2
        elif row.replicate == 1:
            predicted[0] = 1
        columns = {
            "label": LABELS,
            "predicted": predicted,
            "correct": predicted == LABELS,
            "log_likelihood": np.zeros(60, np.float32),
            "top_probability": np.full(60, 0.85, np.float32),
            "keys_digest": "these",
            **changed,
        }
        found[row.record.run_id] = Examples(**{name: value for name, value in columns.items() if value is not None})  # type: ignore[arg-type]
    return found


def test_pairs_are_those_of_replicates_in_which_both_trained_and_rows_tell_what_moved() -> None:
    report = reported()
    baseline, arm = (row.arm for row in report.arms)
    found = example_pairs(report, arm, baseline, kept(report).get)
    assert (found.replicates, found.refused) == ((1, 2, 3), "")
    assert found.run_id in {row.record.run_id for row in report.begun if row.arm == arm and row.record}
    deltas = class_deltas(found.pairs)
    rows = class_rows(deltas)
    first = rows[0]
    assert (first["class"], first["arm (%)"], first["baseline (%)"], first["n"]) == ("1", "100.0", "90.0", "3")
    assert first["difference (points) [95 % interval]"].startswith("+10.0 [")
    assert next(row for row in rows if row["class"] == "0")["difference (points) [95 % interval]"].startswith("−1.7 [")
    flipped = flips(found.pairs)
    keys = [f"image-{at}" for at in range(60)]
    assert [row["image"] for row in flip_rows(flipped.gained, 3, keys)] == ["image-20", "image-21"]
    assert flip_rows(flipped.gained, 3, ())[0] == {
        "image": "number 21",
        "class": "1",
        "arm is right": "3 of 3",
        "arm mostly says": "1",
        "baseline is right": "0 of 3",
        "baseline mostly says": "2",
    }
    said = flips_sentence(flipped)
    assert said.startswith(
        "2 of 60 images change sides in at least 80 % of 3 replicates: the arm gains 2 and loses 0. "
    )
    assert "0.5 would (p: 0.250)" in said
    assert "From three replicates on" in flips_sentence(flips(found.pairs[:2]))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"predicted": None, "label": None, "top_probability": None}, "a release that kept no predicted classes"),
        ({"keys_digest": None}, ""),
    ],
)
def test_what_was_not_kept_is_said(changed: dict[str, object], sentence: str) -> None:
    report = reported()
    baseline, arm = (row.arm for row in report.arms)
    found = example_pairs(report, arm, baseline, kept(report, **changed).get)
    assert sentence in found.refused
    assert bool(found.pairs) != bool(sentence)


def test_no_pair_no_examples_and_other_lists_of_examples_are_refused_in_words() -> None:
    report = reported()
    baseline, arm = (row.arm for row in report.arms)
    assert "kept no results per example" in example_pairs(report, arm, baseline, lambda run: None).refused
    mixed = {**kept(report), "run-0": next(iter(kept(report, keys_digest="others").values()))}
    assert "different lists of examples" in example_pairs(report, arm, baseline, mixed.get).refused
    dead = report_of(report.study, lambda trial: "dead", num_eval=60)  # type: ignore[arg-type]
    assert "in no replicate did both" in example_pairs(dead, arm, baseline, lambda run: None).refused


def test_figures_show_classes_confusion_and_reliability() -> None:
    report = reported()
    baseline, arm = (row.arm for row in report.arms)
    found = example_pairs(report, arm, baseline, kept(report).get)
    figure = classes_figure(class_deltas(found.pairs), 0.05)
    last = figure.data[-1]
    assert (last.y[0], last.x[0]) == ("class 1", pytest.approx(10.0))
    sides = [[pair[side] for pair in found.pairs] for side in (0, 1)]
    heat = confusion_figure(confusion(sides[0], 3), confusion(sides[1], 3)).data[0]
    assert heat.z[1][2] == pytest.approx(-10.0)
    assert (heat.zmin, heat.zmax) == pytest.approx((-10.0, 10.0))
    bins = reliability(sides[1])
    line, first, second = reliability_figure(reliability(sides[0]), bins).data
    assert second.y[0] == pytest.approx(100 * 58 / 60)
    assert (line.name, first.name) == ("as sure as right", "arm")
    assert bin_rows(bins)[0]["probability of the predicted class (%)"] == "80 to 90"
