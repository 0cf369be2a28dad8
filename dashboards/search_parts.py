"""What pages show of searches: cards on Home, the sections of the Search page, how a study's arms were found."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from paribus.report.drawing.figures.search_figures import (
    history_figure,
    parallel_figure,
    rungs_figure,
    slice_figures,
    tuning_figure,
)
from paribus.report.drawing.search_tables import (
    best_text,
    confirmed_rows,
    rung_rows,
    setting_rows,
    settings_csv,
    tried_text,
)
from paribus.report.progress import Progress, counted, search_progress, together
from paribus.report.reading import LedgerError, LedgerUnreachable, StudyRecord
from paribus.report.searches.search_reading import (
    ArmTuning,
    SearchReport,
    arm_tuning,
    is_search,
    tuned_study_name,
    tunings_of,
)
from paribus.report.searches.search_texts import chosen_line
from paribus.report.searches.tuning_texts import budgets_text, tuned_lines
from paribus_dashboards.ledger_view import StudyView, confirmed, search_of, search_report, studies
from paribus_dashboards.parts import HEX, link, plain, sentence, sign_of, signed
from paribus_dashboards.picture import show_still

EXPLORATORY = (
    "Exploratory: one run of each setting, on held-out data, and the best was chosen because it came out best, so that "
    "its value is too high by its luck. What is better is said by the confirmation alone."
)
_COLUMNS = 3
_LINK = {"MLflow": st.column_config.LinkColumn(display_text="run")}


def search_now(uri: str, record: StudyRecord) -> tuple[Progress, str]:
    """How far a search is, its best in Markdown, and what of it stood up; what can't be read hides nothing else."""
    try:
        report, _ = confirmed(uri, record)
    except LedgerUnreachable:
        raise
    except LedgerError as error:
        return counted(record), plain(str(error))
    best = plain(best_text(report)) or ":gray[no setting was trained to its end yet]"
    stood_up = f"\n\n**{plain(sentence(chosen_line(report)))}**" if report.confirmation is not None else ""
    return search_progress(report), best + stood_up


def tuning_now(uri: str, arms: Sequence[StudyRecord]) -> tuple[Progress, str]:
    """How far the tuning of a study's arms is, and the best of each in Markdown."""
    found = [(arm.settings.name, *search_now(uri, arm)) for arm in sorted(arms, key=lambda arm: arm.started_ms)]
    text = "\n".join(f"- {plain(name)}: {best}" for name, _, best in found)
    return together([progress for _, progress, _ in found]), text


def show_best(report: SearchReport, study: StudyRecord | None) -> None:
    """What was found, and what of it stood up."""
    st.header("What was found")
    for note in report.preview.notes:
        st.caption(plain(sentence(note)))
    if report.preview.walk.ended_by:
        st.caption(
            plain(sentence(f"it ended after {report.preview.walk.planned} settings: {report.preview.walk.ended_by}"))
        )
    st.markdown(plain(best_text(report)) or "No setting was trained to its end yet.")
    if report.confirmation is not None:
        st.markdown(f"**{plain(sentence(chosen_line(report)))}**")
    if report.front:
        names = ", ".join(name for name, _ in report.search.objectives)
        st.caption(plain(f"Pareto front of {names}: {', '.join(f'#{each.number}' for each in report.front)}."))
    st.caption(EXPLORATORY)
    if study is not None:
        link(study, f"{study.name}: the study that confirms it")
        show_stood_up(report)
    elif report.search.confirm:
        st.caption(f"Not confirmed yet: the best {report.search.top} are then trained again and judged.")


def show_stood_up(report: SearchReport) -> None:
    """The winner's curse: what the search saw of each setting, and what it has afresh."""
    st.markdown("**What the search saw (one run, held-out data) and what stood up (fresh runs, the evaluation split)**")
    rows = confirmed_rows(report)
    if not rows:
        st.caption("Nothing of the confirmation has been judged yet.")
        return
    frame = pd.DataFrame([{**row, "verdict": signed(row["verdict"])} for row in rows])
    st.dataframe(frame.style.map(_coloured, subset=["verdict"]), hide_index=True, key="stood-up")


def show_figures(report: SearchReport) -> None:
    """How the search came on, and where good settings lie."""
    if not report.tried:
        st.info("No setting has been tried yet.")
        return
    if (history := history_figure(report)) is None:
        st.info("No setting has a value yet: the first comes with the end of its first epoch.")
        return
    show_still(history, "history")
    if (figure := parallel_figure(report)) is not None:
        show_still(figure, "parallel")
    slices = list(slice_figures(report).items())
    for start in range(0, len(slices), _COLUMNS):
        for place, (path, slice_) in zip(st.columns(_COLUMNS), slices[start : start + _COLUMNS], strict=False):
            with place:
                show_still(slice_, f"slice-{path}")


def show_rungs(report: SearchReport) -> None:
    """Who was cut where."""
    if not (rows := rung_rows(report)):
        return
    st.header("Rungs")
    if (figure := rungs_figure(report)) is not None:
        show_still(figure, "rungs")
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="rungs-table")


def show_settings(report: SearchReport) -> None:
    """Every setting that was tried."""
    st.header("Settings tried")
    rows = setting_rows(report)
    if not rows:
        st.info("No setting has been tried yet.")
        return
    frame = pd.DataFrame([{**row, "state": signed(row["state"])} for row in rows]).dropna(axis="columns", how="all")
    digits = st.column_config.NumberColumn(format=f"%.{report.search.primary.digits}f")
    metric = next(head for head in rows[0] if head.startswith(report.search.primary.short))
    columns = {**_LINK, metric: digits, "last seen": digits, "time (s)": st.column_config.NumberColumn(format="%.1f")}
    st.dataframe(frame, hide_index=True, column_config=columns, placeholder="", key="settings-tried")
    name = f"{report.search.name}.csv"
    st.download_button("CSV, every setting", settings_csv(report), name, "text/csv", on_click="ignore")


def show_space(report: SearchReport) -> None:
    """What was searched, and what was fixed."""
    search = report.search
    st.header("What was searched")
    lines = [f"`{path}`: {plain(str(domain))}" for path, domain in search.domains]
    lines += [f"keeps {plain(text)}" for text in search.constraints]
    lines += [plain(line) for line in ((*search.past.lines(), *search.past.notes) if search.past else ())]
    st.markdown("\n".join(f"- {line}" for line in lines))
    fixed = ", ".join(f"{path} = {level}" for path, level in search.fixed.items())
    st.caption(
        plain(
            f"By {search.sampler}, scheduler {search.used_scheduler}, judged on {search.metric}"
            + (f" of {100 * search.holdout:g} % held out of the training split" if search.holdout else "")
            + (f"; fixed: {fixed}" if fixed else "")
            + "."
        )
    )


def show_how_found(uri: str, view: StudyView) -> None:
    """On a study's page: the search that it confirms, or the tuning of its arms; nothing of any other study."""
    try:
        if (record := search_of(uri, view.record)) is not None:
            report, _ = confirmed(uri, record)
            st.header("How its arms were found")
            link(record, f"{record.title}: a search, {tried_text(report)}")
            show_stood_up(report)
        elif view.report.study is not None and (runs := tunings_of(view.report.study, studies(uri))):
            show_tuning(uri, view, runs)
    except LedgerError as error:
        st.info(plain(f"How its arms were found can't be read now: {error}"))


def show_tuning(uri: str, view: StudyView, runs: Sequence[StudyRecord]) -> None:
    """What each arm was tuned to, and its tuning curve."""
    assert view.report.study is not None
    found: list[ArmTuning] = []
    for record in runs:
        if (tuning := arm_tuning(view.report.study, search_report(uri, record))) is not None:
            found.append(tuning)
    st.header("How its arms were tuned")
    st.caption("Each by a search of its own, on a held-out share of the training split.")
    if found:
        st.markdown(plain(sentence(budgets_text(found))))
    st.markdown("\n".join(f"- {plain(line.strip())}" for line in tuned_lines(found)))
    show_still(tuning_figure(found), "tuning")
    with st.container(horizontal=True):
        for record in runs:
            link(record, f"tuning of {record.settings.name}")


def show_tuned_study(uri: str, record: StudyRecord) -> None:
    """On the page of a tuning: the study whose arm it tunes."""
    name = tuned_study_name(record)
    study = next((each for each in studies(uri) if each.name == name and not is_search(each)), None)
    if study is None:
        st.caption(plain(f"It tunes the arm {record.settings.name} of the study {name}, which has not begun."))
        return
    st.caption(
        plain(f"It tunes the arm {record.settings.name} of the study {name}, which then judges all arms afresh.")
    )
    link(study, f"{name}: the study that is tuned")


def _coloured(cell: object) -> str:
    _, colour = sign_of(str(cell).partition(" ")[2])
    return f"color: {HEX[colour]}; font-weight: 600"
