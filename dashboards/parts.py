"""Pieces that the pages are made of: badges, progress, and what a page says when it has nothing to show."""

from __future__ import annotations

import re
from collections.abc import Mapping

import streamlit as st

from paribus.report.drawing.markup import as_safe_markdown
from paribus.report.progress import Progress
from paribus.report.reading import LedgerError, LedgerUnreachable, StudyRecord
from paribus.report.searches.search_reading import is_search
from paribus.report.texts import first_steps
from paribus_dashboards.address import address_of

# Colour is never alone: each word comes with a sign. The colours are those of the figures.
SIGNS = {
    "better": ("▲", "green"),
    "worse": ("▼", "orange"),
    "equivalent": ("=", "blue"),
    "unresolved": ("?", "gray"),
    "no": ("·", "gray"),
    "same": ("≡", "gray"),
    "not": ("=", "blue"),
    "reproduced": ("✓", "green"),
    "contradicted": ("✗", "orange"),
    "running": ("●", "blue"),
    "finished": ("✓", "green"),
    "interrupted": ("‖", "gray"),
    "paused": ("‖", "gray"),
    "diverged": ("✗", "orange"),
    "dead": ("✗", "orange"),
    "stuck": ("✗", "orange"),
    "stopped": ("‖", "gray"),
    "cut": ("‖", "gray"),
    "waits": ("‖", "gray"),
    "exploratory": ("?", "gray"),
    "failed": ("!", "red"),
}
HEX = {"green": "#00714f", "orange": "#a94400", "blue": "#00588a", "gray": "#555555", "red": "#b3261e"}

FIRST_STUDY = f"""**The ledger holds no study yet.** {first_steps()}

The study appears here as soon as it has started."""


# What is drawn again every few seconds must not fade meanwhile; links in captions fade with them below what is legible.
_STYLE = """<style>[data-stale="true"] { opacity: 1 !important }
[data-testid="stCaptionContainer"] { opacity: 1 !important }
[data-testid="stCaptionContainer"] p { color: color-mix(in srgb, currentColor 70%, transparent) }</style>"""


def begin(title: str) -> None:
    """What every page does first: its title in the browser's tab, the whole width, and that all stays legible."""
    st.set_page_config(page_title=f"{title} · Paribus", layout="wide", initial_sidebar_state="collapsed")
    st.html(_STYLE)


def page_of(record: StudyRecord) -> str:
    """The file of the page that shows it."""
    return f"pages/{'search' if is_search(record) else 'study'}.py"


def link(record: StudyRecord, label: str) -> None:
    """A link to the page of a study or of a search."""
    st.page_link(page_of(record), label=plain(label), query_params=address_of(record))


def at_settings(records: list[StudyRecord], settings: str, *, what: str = "Settings") -> StudyRecord:
    """The one at the settings asked for, by default its file's; others that it was run at can be chosen."""
    declared = sorted(records, key=lambda record: (not record.settings.declared, record.settings.digest))
    asked = [record for record in records if settings and record.settings.digest == settings]
    shown = (asked or declared)[0]
    if settings and not asked:
        st.warning(plain(f"The ledger has {shown.name!r} at no settings with the digest {settings!r}."))
    if len(declared) > 1:
        names = {record.run_id: record.settings.name or "as the study's file has them" for record in declared}
        picked = st.selectbox(what, list(names), index=list(names).index(shown.run_id), format_func=names.__getitem__)
        if picked != shown.run_id:
            st.query_params.from_dict(address_of(next(record for record in declared if record.run_id == picked)))
            st.rerun()
    return shown


# What Streamlit's own Markdown reads besides: `$formula$`, `:red[text]`, `:material/icon:` and `:emoji:`.
_STREAMLIT = re.compile(r"\$|(?<![\w:]):(?=[a-z][\w+/-]*[:\[])")


def plain(text: str) -> str:
    """Text of people and of the ledger such that a page shows it as it is, without the secrets of addresses."""
    return _STREAMLIT.sub(r"\\\g<0>", as_safe_markdown(text))


def sentence(note: str) -> str:
    """A note as a sentence; the name of an arm keeps its case."""
    first = note.split(" ", 1)[0]
    return f"{note}." if "=" in first or first != first.lower() else f"{note[:1].upper()}{note[1:]}."


def sign_of(word: str) -> tuple[str, str]:
    """The sign and colour of a verdict, outcome or state, by its first word."""
    return SIGNS.get(word.split(" ")[0].rstrip(","), ("", "gray"))


def signed(word: str) -> str:
    """`▲ better`."""
    return f"{sign_of(word)[0]} {word}".strip()


def badge(word: str, text: str = "") -> str:
    """A coloured badge in Markdown, with the word's sign."""
    sign, colour = sign_of(word)
    shown = plain(text or word).replace("[", r"\[").replace("]", r"\]")
    return f":{colour}-badge[{sign} {shown}]"


def verdict_badges(counts: Mapping[str, int], claim: str = "", looks: str = "") -> str:
    """`▲ 2 better  ? 4 unresolved  ✓ claim reproduced` as badges, what is resolved first, and the `looks` before."""
    words = sorted(counts, key=lambda word: word.startswith("unresolved"))
    parts = [badge(word, f"{counts[word]} {word}") for word in words]
    parts += [badge(claim, f"claim {claim}")] if claim else []
    parts += [f":gray[{plain(looks)}]"] if looks else []
    return " ".join(parts)


def show_progress(progress: Progress) -> None:
    """A bar with the counts and the estimate in words; words alone once there is nothing left."""
    if progress.num_ended >= progress.num_planned > 0:
        st.caption(progress.sentence())
    else:
        st.progress(progress.share, text=progress.sentence())


def say_down(error: LedgerError, uri: str, kept: str = "") -> None:
    """Say that the ledger can't be read and what to do; `kept` says what is shown meanwhile."""
    uri = plain(uri)
    if isinstance(error, LedgerUnreachable):
        what = f"**No MLflow server answers at {uri}.**"
        todo = (
            "Start the local stack with `paribus up`, or, if MLflow runs elsewhere, set `MLFLOW_TRACKING_URI` to its "
            "address and start the dashboard again. `paribus doctor` says what is wrong."
        )
    else:
        what, todo = f"**The ledger at {uri} can't be read.**", str(error)
    st.warning(f"{what} {todo}\n\n{kept} This page tries again every few seconds.".replace("\n\n ", "\n\n"))
