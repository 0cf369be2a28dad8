"""The Study page's judged parts: heading, effects with the verdict table, stability, the fixed factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from paribus.report.drawing.arm_tables import arm_verdict_rows
from paribus.report.drawing.cost_tables import cost_display_rows, cost_lines
from paribus.report.drawing.effect_tables import effect_display_rows
from paribus.report.drawing.figures.arranged import ORDERS, arranged, groupings
from paribus.report.drawing.figures.forest import forest, point_rows
from paribus.report.drawing.node_tables import node_display_rows
from paribus.report.drawing.tables import as_csv, contrast_lines, display_rows
from paribus.report.fixed import fixed_in
from paribus.report.headline import headline
from paribus.report.texts import noted_lines
from paribus_dashboards.address import choose, choose_some, typed
from paribus_dashboards.ledger_view import StudyView, reader
from paribus_dashboards.parts import badge, plain, sentence, signed, verdict_badges
from paribus_dashboards.picture import show_picture
from paribus_dashboards.shown_table import show_table

if TYPE_CHECKING:
    from paribus.report.study_report import Contrast, StudyAnalysis

MOST_WARNINGS = 5
# Fewer contrasts than these are seen at once, in whatever order.
FEW = 4


def show_heading(view: StudyView) -> None:
    """The study in a sentence, its verdict counts, and what to know before all else."""
    report, analysis = view.report, view.report.analysis
    if analysis is None:
        return
    st.header(plain(headline(analysis)), anchor=False)
    if analysis.outcomes and (counts := verdict_badges(analysis.verdict_counts(), looks=analysis.looks.phrase())):
        st.markdown(counts)
    st.caption(
        f"{len(analysis.arms)} arms, {analysis.num_replicates} replicates, judged on {analysis.metric.label} with a "
        f"margin of ±{analysis.margin:g} {analysis.metric.unit}; {100 * (1 - analysis.alpha):g} % intervals"
        + (f"; {analysis.num_eval} evaluation images" if analysis.num_eval else "")
    )
    if analysis.exploratory:
        st.warning("Exploratory: a scheduler cut trials early, so every number here is a hint and not a finding.")
    if report.num_foreign:
        st.caption(f"{report.num_foreign} more trials go by this name and have other settings; they are left out.")


def show_warnings(view: StudyView) -> None:
    """What a report says of the records: the first few in one box, so that many damaged ones push nothing away."""
    noted = noted_lines(view.record)  # they have a place of their own
    lines = [f"- {plain(sentence(line))}" for line in view.report.notes if line not in noted]
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
    show_table(effect_display_rows(analysis), "effects", "Effects of factors over all arms, with intervals")


def choose_metric(analysis: StudyAnalysis) -> str:
    """The metric whose effects are shown: the one that is judged, or a secondary one."""
    labels = {each.metric.name: f"{each.metric.label} (secondary)" for each in analysis.secondary}
    if not labels:
        return analysis.metric.name
    labels = {analysis.metric.name: analysis.metric.label, **labels}
    return choose(st.segmented_control, "Metric", labels, key="metric", required=True, label_visibility="collapsed")


def show_effects(analysis: StudyAnalysis, metric: str) -> list[Contrast]:
    """The picture of the effects on a metric, as it is asked for; returns its contrasts, [] before a pair has ended."""
    contrasts = [c for c in (*analysis.on_primary, *analysis.secondary) if c.metric.name == metric]
    if not contrasts:
        st.info("There is no contrast: the study has a baseline and no other arm.")
        return []
    if not any(contrast.stability.n for contrast in contrasts):
        return []
    shown, heads = arranged_as_asked(contrasts) if len(contrasts) >= FEW else (contrasts, {})
    if not shown:
        st.info("No contrast is like that: take words or verdicts away.")
    else:
        show_picture(
            forest(shown, " (exploratory)" if analysis.exploratory else "", heads),
            f"effects-{metric}",
            point_rows(shown),
        )
    return contrasts


def arranged_as_asked(contrasts: list[Contrast]) -> tuple[list[Contrast], dict[int, str]]:
    """The contrasts that the person wants to see, in the order and groups asked for."""
    verdicts = {each.verdict: signed(each.verdict) for each in contrasts if each.verdict}
    with st.popover("Order, groups, filter", icon=":material/tune:"):
        order = choose(st.selectbox, "Order", ORDERS, key="order")
        group = choose(st.selectbox, "Groups", groupings(contrasts), key="group")
        words = typed("Arms", "arms", placeholder="words of an arm's name")
        wanted = choose_some("Verdicts", list(verdicts), "verdict", format_func=verdicts.get)
    found = [each for each in contrasts if all(word in each.arm.name for word in words.split())]
    found = [each for each in found if not wanted or each.verdict in wanted]
    return arranged(found, order, group)


def show_numbers(uri: str, view: StudyView, analysis: StudyAnalysis, contrasts: list[Contrast]) -> None:
    """The verdict table with its downloads, and the notes."""
    if not contrasts:
        return
    st.header("Contrasts in numbers")
    within = f"p within ±{analysis.margin:g} (Holm)"
    show_table(
        _verdict_rows(uri, view, analysis, contrasts),
        f"{view.record.name}-verdicts",
        "A row an arm: its difference from its baseline with interval, n, failures, p and verdict.",
        badges=("verdict",),
        links={"MLflow": "runs"},
        help={**_HELP, within: "Two one-sided tests against the margin; Holm-corrected over the study's contrasts"},
        csv=lambda: as_csv(analysis),
    )
    show_notes(analysis, contrasts)


_HELP = {
    "n": "pairs in which both the arm and its baseline trained to the end",
    "failed to train": "replicates that failed to train (diverged, dead, stuck): the arm's against the baseline's",
    "effect size": "mean delta over the sd of the deltas, corrected for few replicates (Hedges)",
    "p differs (Holm)": "two-sided paired t test; Holm-corrected with the tests of stability",
    "MLflow": "the runs that the row rests on",
}


def _verdict_rows(
    uri: str, view: StudyView, analysis: StudyAnalysis, contrasts: list[Contrast]
) -> list[dict[str, object]]:
    keys = [(c.arm, c.metric.name) for c in (*analysis.on_primary, *analysis.secondary)]
    shown = dict(zip(keys, display_rows(analysis, secondary=True), strict=True))
    rows: list[dict[str, object]] = []
    for contrast in contrasts:
        row = dict(shown[contrast.arm, contrast.metric.name])
        verdict = row.pop("verdict")
        sides = {contrast.arm, contrast.baseline}
        runs = [row for row in view.report.begun if row.arm in sides and row.replicate in contrast.replicates]
        link = reader(uri).compare_url(runs, view.record) if runs else None
        rows.append({"verdict": verdict, **row, "MLflow": link})
    return rows


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


def show_arms(view: StudyView) -> None:
    """Each arm by itself: what became of it, its mean and spread, who trained through, and what it costs."""
    st.header("Arms")
    show_table(
        arm_verdict_rows(view.report),
        f"{view.record.name}-arms",
        "A row an arm: verdict, mean and sd, n, how many trained through, parameters, FLOPs, seconds.",
        badges=("verdict",),
        help=_HELP_ARMS,
    )
    show_node_kinds(view)


def show_node_kinds(view: StudyView) -> None:
    """Which kind of node trained how many trials of each arm, where there is more than one kind."""
    rows = node_display_rows(view.report.study, view.report.records)
    if rows:
        show_table(
            rows,
            f"{view.record.name}-nodes",
            "Trials by the kind of node; an imbalance of 100 % leaves nothing that tells the arm from the node.",
        )


def show_cost(view: StudyView) -> None:
    """What each conclusion took, in hours and money."""
    st.header("What each conclusion cost")
    if not view.report.cost.rows:
        st.info("No trial tells its time yet.")
        return
    show_table(
        cost_display_rows(view.report.cost),
        f"{view.record.name}-cost",
        "A row a contrast, and what came to nothing: hours, and money where an hour has a price",
    )
    st.caption("\n".join(plain(sentence(line)) for line in cost_lines(view.report.cost)))


_HELP_ARMS = {
    "n": "trials that were trained to the end: mean and sd are theirs",
    "trained through": "of the trials that came to an end of their own, those that did not diverge, die or get stuck",
    "no result": "trials that failed outside of training",
    "parameters": "trainable numbers",
    "FLOPs an image": "forward, two per multiply-add, in convolutions and the classifier alone",
    "seconds a trial": "of a worker, the mean of the trials that were trained to the end",
    "GPU-hours": "of all trials of the arm that tell their time",
}


def show_caveats(view: StudyView) -> None:
    """What the findings are conditional on: what the person chose first, then what the preset brings."""
    st.header("Fixed in every arm")
    if view.report.analysis is None:
        st.markdown(
            "\n".join(f"- {plain(caveat)}" for caveat in view.record.caveats) or "The ledger names no fixed factor."
        )
        return
    found = fixed_in(view.report)
    st.caption("The findings hold for these settings; nothing here says that they hold for others.")
    st.markdown(f"**Chosen in the study**: {plain(', '.join(found.own)) or 'nothing'}")
    with st.expander(f"From the preset {plain(found.base)}" if found.base else "From the base recipe"):
        lines = [f"- **{plain(part or 'recipe')}**: {plain(', '.join(each))}" for part, each in found.preset.items()]
        st.markdown("\n".join(lines))
