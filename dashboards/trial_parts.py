"""The Study page's raw parts: learning curves, failed trials with their reasons, and every trial with its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from paribus.metrics.known import METRICS
from paribus.metrics.metric import Metric
from paribus.report.plots import PALETTE, Curve, learning_curves_figure
from paribus.tracking.history import Point
from paribus.tracking.ledger_records import TrialRecord
from paribus_dashboards.ledger_view import StudyView, Version, ledger, version
from paribus_dashboards.parts import show_figure, signed

MAX_POINTS = 2000
# What a worker logs every epoch, as people call it.
CURVES = {
    **{name: f"{metric.label} ({metric.of_level})" for name, metric in METRICS.items()},
    "train_loss": "training loss (nats)",
    "grad_norm": "gradient norm",
    "dead_channels": "share of dead channels before the pool",
    "lr": "learning rate",
}


def show_curves(uri: str, view: StudyView) -> None:
    """Learning curves of the chosen arms with replicate bands."""
    st.header("Learning curves")
    logged = [name for name in CURVES if any(name in trial.latest for trial in view.trials)]
    if not logged:
        st.info("No trial has reached the end of its first epoch.")
        return
    left, middle, right = st.columns(3)
    metric = left.selectbox("Metric", logged, format_func=CURVES.__getitem__, key="curve")
    groups = _groups(view)
    with middle:
        group = (
            st.selectbox("Arms compared with", list(groups), key="stratum") if len(groups) > 1 else next(iter(groups))
        )
    arms = groups[group]
    first = arms[: len(PALETTE)]
    all_of = "all of them" if first == arms else f"the first {len(first)} of {len(arms)}"
    picked = (
        right.multiselect("Arms", arms, placeholder=f"{all_of}; choose some to see them alone", key=f"arms-{group}")
        or first
    )
    drawn = [trial for trial in view.trials if trial.arm_name in picked and metric in trial.latest]
    if not drawn:
        st.info("These arms have no points of this metric yet.")
        return
    trials = sorted(drawn, key=lambda trial: (arms.index(trial.arm_name), trial.replicate))
    points = _histories(uri, metric, tuple(trial.run_id for trial in trials), version(view.record), trials)
    show_figure(learning_curves_figure(_curves(trials, points), CURVES[metric], "training step"), "curves")


def _groups(view: StudyView) -> dict[str, list[str]]:
    """The arms by the baseline that they are compared with, itself first: what belongs into one figure."""
    if view.study is None:
        return {"": sorted({trial.arm_name for trial in view.trials})}
    groups: dict[str, list[str]] = {arm.name: [arm.name] for arm in view.study.baselines}
    for arm in view.study.arms:
        if (baseline := view.study.baseline_of(arm)) != arm:
            groups[baseline.name].append(arm.name)
    return groups


@st.cache_resource(max_entries=16, show_spinner="Reading the learning curves ...")
def _histories(
    uri: str, metric: str, run_ids: tuple[str, ...], version: Version, _trials: Sequence[TrialRecord]
) -> dict[str, list[Point]]:
    return ledger(uri).histories(_trials, metric)


def _curves(trials: Sequence[TrialRecord], points: dict[str, list[Point]]) -> list[Curve]:
    return [
        Curve(
            arm=trial.arm_name,
            replicate=trial.replicate,
            x=[point.step for point in thinned],
            y=[point.value for point in thinned],
            outcome=trial.outcome or ("running" if trial.running else "stopped"),
        )
        for trial in trials
        if (thinned := _thinned(points[trial.run_id]))
    ]


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """At most about MAX_POINTS points, the last one among them."""
    stride = -(-len(points) // MAX_POINTS)
    return points if stride < 2 else [*points[:-1:stride], points[-1]]


def show_failed(view: StudyView) -> None:
    """Trials without a result: why, and what to do."""
    failed = [trial for trial in view.trials if trial.outcome == "failed"]
    cut = [] if view.record.live else [trial for trial in view.trials if trial.outcome is None]
    if not failed and not cut:
        return
    st.header("Trials without a result")
    rows = [
        {
            "trial": f"{trial.arm_name} · r{trial.replicate}",
            "outcome": _outcome(trial),
            "reason": trial.reason or "its driver or worker ended before it did",
            "attempts": trial.attempt,
            "MLflow": trial.url,
        }
        for trial in (*failed, *cut)
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=_LINK, key="failed")
    st.caption("The study's own command runs interrupted and failed trials again; its verb `retry` the failed alone.")


_LINK = {"MLflow": st.column_config.LinkColumn(display_text="run")}


def show_trials(view: StudyView) -> None:
    """Every trial with its numbers, each beside its MLflow run."""
    st.header("Trials")
    if not view.trials:
        st.info("No trial has started yet.")
        return
    own = view.study.own_metrics if view.study is not None else {}
    shown = {**_NUMBERS, **{name: _number(metric) for name, metric in own.items()}}
    st.dataframe(
        pd.DataFrame([_row(trial, shown) for trial in view.trials]).dropna(axis="columns", how="all"),
        hide_index=True,
        column_config={
            **_LINK,
            **{label: st.column_config.NumberColumn(format=form) for label, form in shown.values()},
        },
        placeholder="",
        key="trials",
    )


def _outcome(trial: TrialRecord) -> str:
    """`✗ stuck`, `! failed (no result)`: how it ended, or how it stands."""
    outcome = trial.outcome or ("running" if trial.running else "interrupted")
    return signed("failed (no result)" if outcome == "failed" else outcome)


def _number(metric: Metric) -> tuple[str, str]:
    """The head and the format of a metric's column."""
    return f"{metric.short} ({metric.of_level})", f"%.{metric.digits}f"


_NUMBERS = {
    **{name: _number(one) for name, one in METRICS.items()},
    "total_s": ("time (s)", "%.1f"),
    "peak_memory_mib": ("peak memory (MiB)", "%.0f"),
}


def _row(trial: TrialRecord, shown: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    numbers = {label: trial.metrics.get(name) for name, (label, _) in shown.items()}
    return {
        "arm": trial.arm_name,
        "replicate": trial.replicate,
        "outcome": _outcome(trial),
        **numbers,
        "steps": trial.num_steps or trial.step,
        "failed to train at step": trial.outcome_step,
        "attempt": trial.attempt,
        "MLflow": trial.url,
    }
