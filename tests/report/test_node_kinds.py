"""Arms by the kind of node: the imbalance is the share of a kind's effect in a contrast, which is said from half on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

import pytest
from reports import report_of
from trial_records import record_of

from paribus.report.doubts.node_kinds import confounded, kind_rows
from paribus.report.drawing.markdown import markdown
from paribus.report.drawing.node_tables import node_display_rows
from paribus.report.drawing.terminal import text_of
from paribus.report.texts import record_notes
from paribus.study import Study
from paribus.study.plan import Trial, trials
from paribus.tracking.trials.record import TrialRecord

STUDY = Study(name="kinds", base="synthetic", factors={"model.width": (0.25, 0.5)}, replicates=4, margin=4.0)
NARROW, WIDE = STUDY.arms


def records(kind: Callable[[Trial], str], study: Study = STUDY) -> list[TrialRecord]:
    return [record_of(trial, cpu=kind(trial)) for trial in trials(study, lambda recipe: "data")]


@pytest.mark.parametrize(
    ("name", "on_b", "imbalance"),
    [
        ("every trial of an arm on one kind", lambda t: t.arm == WIDE, 1.0),
        ("every pair on two kinds, crossed over", lambda t: (t.arm == WIDE) == (t.replicate % 2 == 0), 0.0),
        ("whole replicates on a kind", lambda t: t.replicate == 3, 0.0),
        ("one trial of eight on another kind", lambda t: t.arm == WIDE and t.replicate == 1, 0.25),
        ("half an arm on another kind", lambda t: t.arm == WIDE and t.replicate < 3, 0.5),
    ],
)
def test_the_imbalance_is_the_share_of_a_kinds_effect_that_the_contrast_takes(
    name: str, on_b: Callable[[Trial], bool], imbalance: float
) -> None:
    told = records(lambda t: "B" if on_b(t) else "A")
    _, rows = kind_rows(STUDY, told)
    assert rows[0].imbalance is None
    assert rows[1].imbalance == imbalance
    # Let trials on B be better by 7: so much of it is in the paired difference.
    value = {(r.arm, r.replicate): 7.0 * (r.cpu == "B") for r in told}
    assert abs(fmean(value[WIDE, r] - value[NARROW, r] for r in (1, 2, 3, 4))) == 7 * imbalance
    assert len(confounded(STUDY, told)) == (imbalance >= 0.5), name


def test_one_kind_alone_or_results_of_none_are_neither_a_table_nor_a_note() -> None:
    assert kind_rows(STUDY, records(lambda t: "A")) == ((), ())
    assert kind_rows(STUDY, []) == ((), ())
    assert confounded(STUDY, records(lambda t: "A")) == ()
    failed = [replace(r, outcome="failed") if r.cpu == "B" else r for r in records(lambda t: "AB"[t.arm == WIDE])]
    assert kind_rows(STUDY, failed) == ((), ())


def test_a_gpu_is_the_kind_of_its_trials_whatever_processor_stands_beside_it() -> None:
    told = [replace(r, device="NVIDIA H200") for r in records(lambda t: "AB"[t.arm == WIDE])]
    assert kind_rows(STUDY, told) == ((), ())


def test_the_note_counts_both_sides_and_the_table_stands_in_every_form() -> None:
    told = records(lambda t: "AB"[t.arm == WIDE])
    (note,) = confounded(STUDY, told)
    assert note.startswith("confounded with the kind of node: k=0.5: 4 on B; k=0.25: 4 on A: no kind of node trained")
    assert note in record_notes(STUDY, told, ())
    half = records(lambda t: "B" if t.arm == WIDE and t.replicate < 3 else "A")
    assert "50 % of what one kind of node adds is in their difference" in confounded(STUDY, half)[0]
    assert node_display_rows(STUDY, half) == [
        {"arm": "k=0.25", "A": "4", "B": "0", "imbalance": "baseline"},
        {"arm": "k=0.5", "A": "2", "B": "2", "imbalance": "50 %"},
    ]
    made = report_of(STUDY, lambda t: {"top1": 50.0 + t.replicate})
    assert "trials by the kind of node" not in text_of(made).lower() + markdown(made).lower()
    rows = [replace(row, record=replace(row.record, cpu="AB"[row.arm == WIDE])) for row in made.trials if row.record]
    made = replace(made, trials=tuple(rows))
    for text in (text_of(made), markdown(made)):
        assert "100 %" in text
        assert "imbalance" in text
