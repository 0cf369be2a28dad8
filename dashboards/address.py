"""What an address says, so that each state of a page can be sent to someone: which study, and what is chosen on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import streamlit as st

from paribus.report.reading import StudyRecord
from paribus.report.searches.search_reading import is_search

Widget = TypeVar("Widget")
_ON_ITS_WAY_S = 0.5


def address_of(record: StudyRecord) -> dict[str, str]:
    """What a study's address says: `?study=width`, with `&settings=...` at others than its file's; `?search=...`."""
    named = {"search" if is_search(record) else "study": record.name}
    return named if record.settings.declared else {**named, "settings": record.settings.digest}


def choose(
    draw: Callable[..., str | None], label: str, options: Mapping[str, str] | Sequence[str], key: str, **more: object
) -> str:
    """One of `options` (value to label, or values), chosen by the widget `draw` and kept in the address: `?key=value`.

    The first option is the default, which the address does not name. `draw` is `st.selectbox`, `st.radio` or
    `st.segmented_control`; `more` goes to it.
    """
    labels = options if isinstance(options, Mapping) else {option: option for option in options}
    values = list(labels)
    if st.session_state.get(key) not in labels or _went_back(key):
        asked = st.query_params.get(key, "")
        st.session_state[key] = asked if asked in labels else values[0]
    picked = draw(label, values, key=key, format_func=labels.__getitem__, **more) or values[0]
    keep(key, "" if picked == values[0] else picked)
    return picked


def choose_some(label: str, options: Sequence[str], key: str, **more: object) -> list[str]:
    """Some of `options`, none by default; each is a `?key=value` of the address."""
    if key not in st.session_state or _went_back(key):
        st.session_state[key] = st.query_params.get_all(key)
    st.session_state[key] = [value for value in st.session_state[key] if value in options]
    picked: list[str] = st.multiselect(label, options, key=key, **more)  # type: ignore[call-overload]
    keep(key, picked)
    return picked


def typed(label: str, key: str, **more: object) -> str:
    """A text that is typed, kept in the address as `?key=text`."""
    if key not in st.session_state or _went_back(key):
        st.session_state[key] = st.query_params.get(key, "")
    text: str = st.text_input(label, key=key, **more)  # type: ignore[call-overload]
    keep(key, text)
    return text


def keep(key: str, value: str | Sequence[str]) -> None:
    """Write it into the address where it is not there already; an empty value leaves it.

    The browser gets an entry of its history for it, so that its Back button undoes the choice.
    """
    values = [value] if isinstance(value, str) and value else list(value)
    _kept()[key] = (values, time.monotonic())
    if st.query_params.get_all(key) == values:
        return
    if values:
        st.query_params[key] = values
    elif key in st.query_params:
        del st.query_params[key]


def _kept() -> dict[str, tuple[list[str], float]]:
    """What was written into the address last, by key, and when."""
    found: dict[str, tuple[list[str], float]] = st.session_state.setdefault("kept-in-address", {})
    return found


def _went_back(key: str) -> bool:
    """Whether the address says otherwise than was written into it: by Back, Forward or a link. What it says holds then.

    An address that was written a moment ago may be on its way to the browser still, and then tells nothing.
    """
    values, written_s = _kept().get(key, ([], 0.0))
    return st.query_params.get_all(key) != values and time.monotonic() - written_s > _ON_ITS_WAY_S
