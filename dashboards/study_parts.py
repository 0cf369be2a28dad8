"""The Study page's judged parts: heading, effects with the verdict table, stability, the fixed factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from paribus.report.drawing.cost_tables import cost_display_rows, cost_lines
from paribus.report.drawing.effect_tables import effect_display_rows
from paribus.report.drawing.plots import effects_figure
from paribus.report.drawing.tables import arm_display_rows, as_csv, as_markdown, contrast_lines, display_rows
from paribus_dashboards.address import choose
from paribus_dashboards.ledger_view import StudyView, reader
from paribus_dashboards.parts import HEX, badge, plain, sentence, show_figure, sign_of, signed, verdict_badges

if TYPE_CHECKING:
    from paribus.report.study_report import Contrast, StudyAnalysis

MOST_WARNINGS = 5


def show_heading(view: StudyView) -> None:
    """Verdict counts, the claim, and what to know before all else."""
    report, analysis = view.report, view.report.analysis
    if analysis is None:
        return
    if analysis.outcomes and (counts := verdict_badges(analysis.verdict_counts(), looks=analysis.looks.phrase())):
        st.markdown(counts)
    st.caption(
        f"{len(analysis.arms)} arms, {analysis.num_replicates} replicates, judged on {analysis.metric.label} with a "
        f"margin of ±{analysis.margin:g} {analysis.metric.unit}; {100 * (1 - analysis.alpha):g} % intervals"
        + (f"; {analysis.num_eval} evaluation images" if analysis.num_eval else "")
    )
    show_claim(analysis)
    show_warnings(view)
    if analysis.exploratory:
        st.warning("Exploratory: a scheduler cut trials early, so every number here is a hint and not a finding.")
    if report.num_foreign:
        st.caption(f"{report.num_foreign} more trials go by this name and have other settings; they are left out.")


def show_warnings(view: StudyView) -> None:
    """What a report says of the records: the first few in one box, so that many damaged ones push nothing away."""
    lines = [f"- {plain(sentence(line))}" for line in view.report.notes]
    if lines:
        st.warning("\n".join(lines[:MOST_WARNINGS]))
    if len(lines) > MOST_WARNINGS:
        with st.expander(f"{len(lines) - MOST_WARNINGS} more of this kind"):
            st.markdown("\n".join(lines[MOST_WARNINGS:]))


def show_claim(analysis: StudyAnalysis) -> None:
    """What became of the published statement, and in what the study differs from its setting."""
    if (found := analysis.claim) is None:
        return
    with st.container(border=True):
        said = plain(f"“{found.claim.text}” — {found.claim.source}")
        st.markdown(f"{badge(found.outcome, f'claim {found.outcome}')} {said}")
        st.caption(plain(f"{found.reasons[0]}. " + "; ".join(found.differences)))
        if len(found.reasons) > 1:
            with st.expander("The claim, arm by arm"):
                st.markdown("\n".join(f"- {plain(reason)}" for reason in found.reasons[1:]))


def show_factors(analysis: StudyAnalysis) -> None:
    """What each factor does over all arms, where the design crosses them."""
    if not analysis.effects:
        st.info("The study's design crosses no two factors, so that no effect is told over all arms.")
        return
    st.caption("Over all arms that train; intervals rest on the replicates, and p are corrected over these effects.")
    st.dataframe(pd.DataFrame(effect_display_rows(analysis)), hide_index=True)


def choose_metric(analysis: StudyAnalysis) -> str:
    """The metric whose effects are shown: the one that is judged, or a secondary one."""
    st.header("Effects")
    labels = {each.metric.name: f"{each.metric.label} (secondary)" for each in analysis.secondary}
    if not labels:
        return analysis.metric.name
    labels = {analysis.metric.name: analysis.metric.label, **labels}
    return choose(st.segmented_control, "Metric", labels, key="metric", required=True, label_visibility="collapsed")


def show_effects(uri: str, view: StudyView, analysis: StudyAnalysis, metric: str) -> None:
    """The figure, the verdict table with its downloads, and the notes."""
    contrasts = [c for c in (*analysis.on_primary, *analysis.secondary) if c.metric.name == metric]
    if not contrasts:
        st.info("There is no contrast: the study has a baseline and no other arm.")
        return
    if any(contrast.n for contrast in contrasts):
        show_figure(effects_figure(contrasts, analysis.exploratory), f"effects-{metric}")
    elif any(contrast.stability.n for contrast in contrasts):
        st.info("In no pair did both the arm and its baseline train: what can be judged is how often each failed to.")
    else:
        st.info("No pair of trials has ended yet: the first effect shows when an arm and its baseline have.")
    st.dataframe(
        _coloured(_verdict_frame(uri, view, analysis, contrasts)),
        hide_index=True,
        column_config={
            "MLflow": st.column_config.LinkColumn(display_text="runs", help="The runs that the row rests on"),
            **{name: st.column_config.Column(help=text) for name, text in _HELP.items()},
            f"p within ±{analysis.margin:g} (Holm)": st.column_config.Column(
                help="Two one-sided tests against the margin; Holm-corrected over the study's contrasts"
            ),
        },
        placeholder="",
        key=f"verdicts-{metric}",
    )
    with st.container(horizontal=True):
        name = view.record.name
        st.download_button("CSV, all metrics", as_csv(analysis), f"{name}.csv", "text/csv", on_click="ignore")
        st.download_button("Markdown", as_markdown(analysis), f"{name}.md", "text/markdown", on_click="ignore")
    show_notes(analysis, contrasts)


_HELP = {
    "n": "Pairs in which both the arm and its baseline trained to the end",
    "failed to train": "Replicates that failed to train (diverged, dead, stuck): the arm's against the baseline's",
    "effect size": "Mean delta over the sd of the deltas, corrected for few replicates (Hedges)",
    "p differs (Holm)": "Two-sided paired t test; Holm-corrected with the tests of stability",
}


def _verdict_frame(uri: str, view: StudyView, analysis: StudyAnalysis, contrasts: list[Contrast]) -> pd.DataFrame:
    keys = [(c.arm, c.metric.name) for c in (*analysis.on_primary, *analysis.secondary)]
    shown = dict(zip(keys, display_rows(analysis, secondary=True), strict=True))
    rows = []
    for contrast in contrasts:
        row = dict(shown[contrast.arm, contrast.metric.name])
        verdict = row.pop("verdict")
        sides = {contrast.arm, contrast.baseline}
        runs = [row for row in view.report.begun if row.arm in sides and row.replicate in contrast.replicates]
        link = reader(uri).compare_url(runs, view.record) if runs else None
        rows.append({"verdict": signed(verdict), **row, "MLflow": link})
    return pd.DataFrame(rows)


def _coloured(frame: pd.DataFrame) -> pd.io.formats.style.Styler:
    def style(cell: object) -> str:
        _, colour = sign_of(str(cell).partition(" ")[2])
        return f"color: {HEX[colour]}; font-weight: 600"

    return frame.style.map(style, subset=["verdict"])


def show_notes(analysis: StudyAnalysis, contrasts: list[Contrast]) -> None:
    """What a reader must know before believing the numbers."""
    lines = [line for contrast in contrasts for line in contrast_lines(contrast)]
    if analysis.pairing:
        lines.append(analysis.pairing.sentence())
    for note in analysis.notes:
        st.caption(plain(sentence(note)))
    if lines:
        with st.expander(f"{len(lines)} notes on these numbers"):
            st.markdown("\n".join(f"- {plain(line)}" for line in lines))


def show_arms(view: StudyView, analysis: StudyAnalysis) -> None:
    """Each arm by itself: mean and spread, failures, and what it costs."""
    st.header("Arms")
    rows = pd.DataFrame(arm_display_rows(analysis, view.report.arms))
    st.dataframe(
        rows,
        hide_index=True,
        column_config={name: st.column_config.Column(help=text) for name, text in _HELP_ARMS.items()},
        key="arms-by-themselves",
    )


def show_cost(view: StudyView) -> None:
    """What each conclusion took, in hours and money."""
    st.header("What each conclusion cost")
    if not view.report.cost.rows:
        st.info("No trial tells its time yet.")
        return
    st.dataframe(pd.DataFrame(cost_display_rows(view.report.cost)), hide_index=True, key="costs")
    st.caption("\n".join(plain(sentence(line)) for line in cost_lines(view.report.cost)))


_HELP_ARMS = {
    "n": "Trials that were trained to the end: mean and sd are theirs",
    "failed to train": "Trials that diverged, died or are stuck at chance, of those that ended",
    "no result": "Trials that failed outside of training",
    "parameters": "Trainable numbers",
    "FLOPs an image": "Forward, two per multiply-add, in convolutions and the classifier alone",
    "seconds a trial": "Of a worker, the mean of the trials that were trained to the end",
}


def show_caveats(view: StudyView) -> None:
    """What the findings are conditional on."""
    st.header("Fixed in every arm")
    if view.report.analysis is None:
        st.markdown(
            "\n".join(f"- {plain(caveat)}" for caveat in view.record.caveats) or "The ledger names no fixed factor."
        )
        return
    st.caption("The findings hold for these settings; nothing here says that they hold for others.")
    parts: dict[str, list[str]] = {}
    for path, value in view.report.analysis.caveats.items():
        part, _, name = path.partition(".")
        parts.setdefault(part, []).append(f"{name} = {value}")
    st.markdown("\n".join(f"- **{part}**: {plain(', '.join(settings))}" for part, settings in parts.items()))
