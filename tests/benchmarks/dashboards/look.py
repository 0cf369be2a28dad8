#!/usr/bin/env python
"""Every page of a dashboard that runs, to be looked at: three widths, light and dark, and what axe-core finds there.

    tests/benchmarks/dashboards/look.py FOLDER [--url URL] [--study NAME] [--search NAME] [--trial ID] [--only WORD ...]

Writes `FOLDER/page-width-scheme.png`, each page whole, and prints a line for each page that is cut off, has an error or
a serious fault of access. A study, search or trial that is not named is the latest of the ledger that
MLFLOW_TRACKING_URI names. Which state is seen (running, ended, failed, empty, a large ledger, a server that is away) is
that of the ledger that the dashboard reads.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from paribus.report.reading import LedgerError, LedgerReader, usual_address
from paribus.report.searches.search_reading import is_search
from paribus_dashboards.frame import STUDY_PAGES
from paribus_dashboards.images.screenshots import CHROMIUM_ARGS, chromium, drawn

WIDTHS = (1440, 1280, 390)


def addresses(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Each page by name: those over the ledger, of the study, of the search, of the trial."""
    yield from {"home": "", "compare": "compare", "claims": "claims", "costs": "costs", "cluster": "cluster"}.items()
    for name in STUDY_PAGES if args.study else ():
        yield name, f"{name}?study={quote(args.study)}"
    if args.search:
        yield "search", f"search?search={quote(args.search)}"
    if args.trial:
        yield "trial", f"trial?trial={args.trial}"


def find(args: argparse.Namespace) -> None:
    """Name the ledger's latest study, search and trial where none is named; none where there is none, or no ledger."""
    reader = LedgerReader(usual_address(), budget_s=5)
    with suppress(LedgerError):
        records = reader.studies()
        studies = [record for record in records if not is_search(record)]
        args.study = args.study or next((each.name for each in studies), None)
        args.search = args.search or next((each.name for each in records if is_search(each)), None)
        begun = (trial.trial_id for each in studies[:1] for trial in reader.trials(each).everything)
        args.trial = args.trial or next(begun, None)
    reader.close()


def faults_of(page: Page) -> list[str]:
    """What is wrong with a page as it stands."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    faults = [
        f"{fault['id']}: {fault['nodes'][0]['html'][:160]} ({len(fault['nodes'])})"
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    cut = page.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth")
    faults += [f"{cut} px are cut off"] if cut else []
    return faults + ["an error"] * page.get_by_test_id("stException").count()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8501")
    parser.add_argument("--study")
    parser.add_argument("--search")
    parser.add_argument("--trial")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--widths", type=int, nargs="*", default=WIDTHS)
    parser.add_argument("--schemes", nargs="*", default=("light", "dark"))
    args = parser.parse_args()
    find(args)
    args.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        for scheme in args.schemes:
            for width in args.widths:
                page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=scheme)
                for name, address in addresses(args):
                    if args.only and name not in args.only:
                        continue
                    page.goto(f"{args.url}/{address}")
                    drawn(page)
                    page.wait_for_timeout(700)
                    # The page scrolls within itself: as high as what it shows, it is seen whole.
                    high = page.get_by_test_id("stMain").evaluate("main => main.scrollHeight")
                    page.set_viewport_size({"width": width, "height": min(max(1000, high), 6000)})
                    page.wait_for_timeout(300)
                    page.screenshot(path=args.folder / f"{name}-{width}-{scheme}.png")
                    for fault in faults_of(page):
                        print(f"{name} {width} {scheme}: {fault}", flush=True)
                    page.set_viewport_size({"width": width, "height": 1000})
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
