"""What Home shows above its cards: the ledger in numbers, what went wrong lately, and which studies are asked for."""

from __future__ import annotations

import time

import streamlit as st

from paribus.report.progress import show_ago
from paribus.report.reading import LedgerError, LedgerUnreachable, StudyRecord
from paribus.report.searches.search_reading import is_search, is_tuning
from paribus.report.views.overview import (
    DAY_MS,
    ORDERS,
    STANDINGS,
    Failures,
    failures_since,
    may_have_failed,
    stopped_since,
    wanted,
)
from paribus_dashboards.address import address_of, choose, typed
from paribus_dashboards.ledger_view import trials_of
from paribus_dashboards.parts import page_of, plain, signed


def show_totals(records: tuple[StudyRecord, ...]) -> None:
    """The ledger in a few numbers."""
    ended = sum(sum(record.counts.values()) for record in records)
    failed = sum(record.counts.get("failed", 0) for record in records)
    searches = {record.name for record in records if is_search(record) and not is_tuning(record)}
    with st.container(horizontal=True, gap="medium", key="totals"):
        st.metric("Studies", len({record.name for record in records if not is_search(record)}), width="content")
        if searches:
            confirmed = "Exploratory, each confirmed by a study of its own"
            st.metric("Searches", len(searches), help=confirmed, width="content")
        st.metric("Running now", sum(record.live for record in records), width="content")
        st.metric("Trials ended", f"{ended:,}", width="content")
        lost = "Failed outside of training; diverged, dead and stuck are results."
        st.metric("Trials without a result", f"{failed:,}", help=lost, width="content")


def show_troubles(uri: str, records: tuple[StudyRecord, ...]) -> None:
    """What failed or was cut off since yesterday, each with a link to where it can be looked at; nothing if nothing."""
    since_ms = 1000 * time.time() - DAY_MS
    failed = [found for record in records if (found := _failures(uri, record, since_ms))]
    stopped = stopped_since(records, since_ms)
    if not failed and not stopped:
        return
    with st.container(border=True, gap="xsmall", key="troubles"):
        st.markdown("**Went wrong since yesterday**")
        for each in failed:
            trials = "a trial" if each.count == 1 else f"{each.count} trials"
            why = f"{trials} failed without a result, {show_ago(each.last_ms)}: {each.reason or 'no reason was kept'}"
            _trouble(each.record, why, "trials")
        for record in stopped:
            why = f"its driver ended {show_ago(record.updated_ms)} before it did; the same command goes on with it"
            _trouble(record, why, "study")


def _failures(uri: str, record: StudyRecord, since_ms: float) -> Failures | None:
    """What can't be read of one study hides no other."""
    if not may_have_failed(record, since_ms):
        return None
    try:
        return failures_since(record, trials_of(uri, record).rows, since_ms)
    except LedgerUnreachable:
        raise
    except LedgerError:
        return None


def _trouble(record: StudyRecord, why: str, page: str) -> None:
    target = page_of(record) if is_search(record) else f"pages/{page}.py"
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.page_link(target, label=plain(record.title), query_params=address_of(record))
        st.caption(plain(why), width="content")


def heads(records: tuple[StudyRecord, ...]) -> list[StudyRecord]:
    """One record a card: the tunings of a study's arms share one, that of the arm which was touched last."""
    tunings = {record.name: record for record in reversed(records) if is_tuning(record)}
    return [record for record in records if tunings.get(record.name, record) is record or not is_tuning(record)]


def asked_for(records: list[StudyRecord]) -> list[StudyRecord]:
    """Those that the person asks for, in the order asked for; with one study there is nothing to ask."""
    if len(records) < 2:
        return records
    with st.container(horizontal=True, vertical_alignment="bottom", key="asked-for"):
        text = typed("Search", "search", placeholder="words of a name or question", width=280)
        states = {"": "any", **{word: signed(word) for word in STANDINGS}}
        state = choose(st.selectbox, "State", states, key="state", width=160)
        order = choose(st.selectbox, "Order", ORDERS, key="order", width=190)
    return wanted(records, text=text, state=state, order=order)
