"""What is known of a page, as HTML: of Home its cards, of a study its sentence and its picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from paribus.report.drawing.figures.curve_lines import curve_lines
from paribus.report.drawing.figures.forest import forest
from paribus.report.drawing.html_parts import shown
from paribus.report.headline import headline
from paribus.report.reading import LedgerError, StudyRecord
from paribus.report.searches.search_reading import is_search, is_tuning
from paribus.report.study_report import standing_of
from paribus.report.views.curves import CURVES
from paribus.report.views.overview import wanted
from paribus_dashboards.address import address_of
from paribus_dashboards.frame import GENERAL, HOME, STUDY_PAGES
from paribus_dashboards.home_parts import heads
from paribus_dashboards.ledger_view import StudyView, curves_of, judgement, studies, study_view, tracking_uri, written
from paribus_dashboards.parts import sign_of
from paribus_dashboards.picture import CSS
from paribus_dashboards.trial_parts import MOST_ARMS, logged_in, rows_of

# The pages that there is something to say of, by the name in their address.
PAGES: Final = frozenset({"", HOME, *STUDY_PAGES})
# A page's picture is that of an address which says no more than this.
_PLAIN: Final = frozenset({"study", "settings", "metric"})
_MOST_CARDS: Final = 5
# Where things stand and how they look is what .streamlit/config.toml makes of the page itself.
_STYLE: Final = f"""<style>#ahead {{ position: fixed; inset: 0; overflow: auto; z-index: 1000000;
box-sizing: border-box; color-scheme: light dark; padding: 1.5rem max(1rem, min(5rem, 5vw)) 2rem;
font: 15px/1.6 "Source Sans", sans-serif; color: var(--st-text-color); background: var(--st-background-color);
--st-text-color: light-dark(#0d1014, #f4f5f6); --st-background-color: light-dark(#fff, #16181c);
--st-link-color: light-dark(#00588a, #7cc8f7); --st-font: "Source Sans", sans-serif; overflow-wrap: break-word }}
#ahead nav {{ display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; padding: .2rem .5rem .6rem }}
#ahead nav a {{ text-decoration: none }}
#ahead h1 {{ font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; font-weight: 650 }}
#ahead h1 small {{ font-size: 1rem; font-weight: 400 }}
#ahead h2 {{ font-size: 1.35rem; line-height: 1.3; margin: 1.5rem 0; font-weight: 600 }}
#ahead a {{ color: inherit }} #ahead .quiet {{ color: light-dark(#555, #b4b4b4) }}
#ahead section {{ border: 1px solid light-dark(#d5d5d5, #444); border-radius: 4px; padding: 1rem; margin: 0 0 1rem }}
{CSS}</style>"""


def waiting(name: str, words: Mapping[str, str]) -> str:
    """What to show before anything is known: which page it is, and that it is on its way."""
    title = words.get("study") or ("Study" if name in STUDY_PAGES else "Studies")
    return (
        f'{_STYLE}{_links(name, words)}<h1>{shown(title)}</h1><p class="quiet" role="status">Reading the ledger …</p>'
    )


def brief(name: str, words: Mapping[str, str]) -> str:
    """A study's sentence as its driver wrote it down: it takes no reading of its trials. "" where there is none.

    Raises LedgerError.
    """
    uri = tracking_uri()
    record = _asked(studies(uri), words) if name in STUDY_PAGES else None
    found = written(uri, record) if record is not None else None
    if record is None or found is None:
        return ""
    reading = '<p class="quiet" role="status">Reading its trials …</p>'
    return f"{_STYLE}{_links(name, words)}{_head(record)}<h2>{shown(found.headline)}</h2>{reading}"


def known(name: str, words: Mapping[str, str]) -> str:
    """The page as the ledger has it, read now where nobody did; "" where there is nothing to say before the page does.

    Raises LedgerError.
    """
    uri = tracking_uri()
    records = studies(uri)
    if name not in STUDY_PAGES:
        return f"{_STYLE}{_links(name, words)}<h1>Studies</h1>{_cards(uri, records)}" if records and not words else ""
    if (record := _asked(records, words)) is None:
        return ""
    view = study_view(uri, record)
    picture = _picture(uri, name, view, words) if words.keys() <= _PLAIN else ""
    head = f"{_links(name, words)}{_head(view.record)}{_sentence(name, view)}"
    return f"{_STYLE}{head}<div class='picture'>{picture}</div>"


def _asked(records: tuple[StudyRecord, ...], words: Mapping[str, str]) -> StudyRecord | None:
    """The study that an address means, at the settings that it means; None where it is not clear."""
    own = [record for record in records if record.name == words.get("study") and not is_search(record)]
    at = words.get("settings", "")
    found = [each for each in own if (each.settings.digest == at if at else each.settings.declared)]
    return found[0] if len(found) == 1 else None


def _links(name: str, words: Mapping[str, str]) -> str:
    """The row of links that the page itself begins with, so that nobody has to wait for it to go elsewhere."""
    if name in STUDY_PAGES:
        query = shown(urlencode({word: text for word, text in words.items() if word in _PLAIN}))
        links = {"./": "All studies", **{f"{page}?{query}": title for page, title in STUDY_PAGES.items()}}
    else:
        links = {"./" if page == HOME else page: title for page, title in GENERAL.items()}
    shown_links = (f'<a href="{link}">{shown(title)}</a>' for link, title in links.items())
    return f"<nav>{''.join(shown_links)}</nav>"


def _cards(uri: str, records: tuple[StudyRecord, ...]) -> str:
    """The first studies and searches; a study with its sentence."""
    return "".join(_card(uri, record) for record in wanted(heads(records))[:_MOST_CARDS])


def _card(uri: str, record: StudyRecord) -> str:
    title = record.name if is_tuning(record) else record.title
    page = "search" if is_search(record) else "study"
    link = f'<a href="{page}?{shown(urlencode(address_of(record)))}"><b>{shown(title)}</b></a>'
    said = ""
    if not is_search(record):
        try:
            found = judgement(uri, record)
            said = " ".join(part for part in (found.headline, found.trouble) if part)
        except LedgerError as error:
            said = str(error)
    return f"<section>{link} {_standing(record)}<p>{shown(record.question)}</p><p>{shown(said)}</p></section>"


def _standing(record: StudyRecord) -> str:
    word = standing_of(record)
    return f'<span class="quiet">{sign_of(word)[0]} {shown(word)}</span>'


def _head(record: StudyRecord) -> str:
    return f"<h1>{shown(record.title)} <small>{_standing(record)}</small></h1><p>{shown(record.question)}</p>"


def _sentence(name: str, view: StudyView) -> str:
    analysis = view.report.analysis
    if analysis is None:
        return f"<p>{shown(f'There are no verdicts: {view.report.trouble}.')}</p>"
    return f"<h2>{shown(headline(analysis))}</h2>" if name == "study" else ""


def _picture(uri: str, name: str, view: StudyView, words: Mapping[str, str]) -> str:
    """The picture that the page begins with, where that is one without a library."""
    analysis = view.report.analysis
    if name == "study" and analysis is not None and any(each.stability.n for each in analysis.contrasts):
        metric = words.get("metric", analysis.metric.name)
        contrasts = [each for each in (*analysis.on_primary, *analysis.secondary) if each.metric.name == metric]
        return forest(contrasts, " (exploratory)" if analysis.exploratory else "")
    logged = logged_in(view)
    if name == "curves" and logged:
        metric, arms = next(iter(logged)), next(iter(view.report.compared().values()))[:MOST_ARMS]
        return curve_lines(curves_of(uri, view, metric, rows_of(view, metric, arms)), CURVES[metric], "training steps")
    return ""
