"""Cluster, at `/cluster`: which machines train what now, how long they wait for data, and what the last day came to."""

from __future__ import annotations

import time

import pandas as pd
import streamlit as st

from paribus.report.numbers import show_number
from paribus.report.progress import show_ago
from paribus.report.reading import LedgerError, LedgerUnreachable, StudyRecord
from paribus.report.study_report import TrialRow
from paribus.report.views.nodes import AtWork, Node, nodes
from paribus.report.views.overview import DAY_MS
from paribus_dashboards.ledger_view import LIVE_S, studies, tracking_uri, trials_of
from paribus_dashboards.parts import begin, link, plain, say_down

# A trial that waits for data for more of its time says so in its warnings.
_MUCH_WAIT = 0.1


@st.fragment(run_every=LIVE_S)
def cluster() -> None:
    """The machines; drawn again every few seconds."""
    uri = tracking_uri()
    st.title("Cluster")
    since_ms = 1000 * time.time() - DAY_MS
    try:
        found = nodes(_lately(uri, since_ms), since_ms)
    except LedgerError as error:
        say_down(error, uri)
        return
    if not found:
        st.info("Nothing trains now, and nothing has ended since yesterday.")
    else:
        _show(found)
    st.caption(
        "By what trials tell the ledger. What waits in Ray's queue, and which CPUs and GPUs are idle, is on Ray's own "
        "dashboard, by default port 8265 of the head."
    )


def _lately(uri: str, since_ms: float) -> list[tuple[StudyRecord, tuple[TrialRow, ...]]]:
    """The studies that were touched since then, with their trials; one that can't be read hides no other."""
    found = []
    for record in studies(uri):
        if not record.live and record.updated_ms < since_ms:
            continue
        try:
            found.append((record, trials_of(uri, record).rows))
        except LedgerUnreachable:
            raise
        except LedgerError as error:
            st.caption(plain(f"{record.title} can't be read: {error}"))
    return found


def _show(found: list[Node]) -> None:
    at_work = [each for node in found for each in node.at_work]
    with st.container(horizontal=True, gap="large", key="totals"):
        st.metric("Training now", len(at_work), width="content")
        st.metric("Machines at work", sum(bool(node.at_work) for node in found), width="content")
        speeds = [node.images_per_s for node in found if node.images_per_s is not None]
        st.metric("Images a second", f"{sum(speeds):,.0f}" if speeds else "-", width="content")
        lost = "Failed or cut off since yesterday: a machine that has most of them may be the reason."
        st.metric("Attempts lost since yesterday", sum(node.lost for node in found), help=lost, width="content")
    st.header("Machines")
    st.dataframe(pd.DataFrame([_machine(node) for node in found]), hide_index=True, key="machines")
    waiting = [node for node in found if (node.data_wait or 0) > _MUCH_WAIT]
    for node in waiting:
        st.warning(
            plain(
                f"Trials on {node.name} wait for data for {100 * (node.data_wait or 0):.0f} % of their time: the "
                "warnings of each say what holds it up, and what to change."
            )
        )
    if at_work:
        st.header("Training now")
        st.dataframe(pd.DataFrame([_trial(each) for each in at_work]), hide_index=True, key="at-work")
        for record in {each.study.run_id: each.study for each in at_work}.values():
            link(record, record.title)


def _machine(node: Node) -> dict[str, str]:
    ended = ", ".join(f"{count} {outcome}" for outcome, count in sorted(node.ended.items()))
    return {
        "machine": node.name,
        "training now": str(len(node.at_work)),
        "images a second": "-" if node.images_per_s is None else f"{node.images_per_s:,.0f}",
        "waits for data": _share(node.data_wait),
        "attempts ended since yesterday": ended or "-",
        "devices": ", ".join(node.devices) or "-",
    }


def _trial(each: AtWork) -> dict[str, str]:
    return {
        "trial": each.row.name,
        "study": each.study.title,
        "machine": each.node,
        "done": _share(each.progress),
        "images a second": "-" if each.images_per_s is None else show_number(each.images_per_s, ",.0f"),
        "waits for data": _share(each.data_wait),
        "since": show_ago(each.since_ms),
    }


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


begin("Cluster")
cluster()
