"""A study's page in headless Chromium: its size, its first paint, whether it fits a phone and a sheet of paper.

Beside it, in the same run, stands a page with the learning curves alone, drawn by plotly, whose library it has to
carry: what a page was before its figures were SVG had more.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from made_reports import report_of_trials
from playwright.sync_api import Browser, sync_playwright

from paribus.report.drawing.html_page import write_html
from paribus.report.study_report import StudyReport
from paribus.study import Study
from paribus_dashboards.images.screenshots import CHROMIUM_ARGS, chromium

NUM_TRIES = 9
DEPTHS, SCALES = (16, 40), (0.1, 0.2, 0.3, 1.0)


def made(replicates: int) -> StudyReport:
    """Eight arms of which one often diverges."""
    draw = np.random.default_rng(4)
    study = Study(
        name="residual_scale",
        question="Does damping the residual branch help at a high learning rate?",
        factors={"model.depth": DEPTHS, "model.residual_scale": SCALES},
        baseline={"model.residual_scale": 1.0},
        margin=1.0,
        replicates=replicates,
    )

    def fate(trial: object) -> float | str:
        wild = trial.arm.as_dict() == {"model.depth": 40, "model.residual_scale": 1.0}  # type: ignore[attr-defined]
        return "diverged" if wild and draw.random() < 0.4 else float(draw.normal(97, 0.7))

    return report_of_trials(study, fate, points=100)


def first_paint_ms(browser: Browser, page: Path) -> float:
    """The median of Chromium's own clock over some tries, each in a context of its own."""
    found = []
    for _ in range(NUM_TRIES):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
        shown = context.new_page()
        shown.goto(page.as_uri())
        shown.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
        found.append(shown.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        context.close()
    return statistics.median(found)


def cut_at(browser: Browser, page: Path, width: int) -> list[str]:
    """What reaches beyond a screen of that width."""
    shown = browser.new_page(viewport={"width": width, "height": 844})
    shown.goto(page.as_uri())
    cut: list[str] = shown.evaluate(
        """() => [...document.querySelectorAll('body *')].filter(each => {
            const box = each.getBoundingClientRect();
            return box.width && (box.right > innerWidth + 1 || box.left < -1);
        }).map(each => each.tagName + ' ' + each.textContent.slice(0, 60))"""
    )
    shown.close()
    return cut


def test_pages() -> None:
    """Print the figures. The goals: 1 MB, 0.5 s, nothing cut at 390 pixels."""
    with tempfile.TemporaryDirectory(prefix="paribus-bench-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        for replicates in (14, 125):
            report = made(replicates)
            begun = time.perf_counter()
            page = write_html(report, Path(folder) / f"page{replicates}.html")
            wrote = time.perf_counter() - begun
            beside = Path(folder) / f"plotly{replicates}.html"
            lines = [go.Scatter(x=list(each.x), y=list(each.y), mode="lines") for each in report.curves]
            beside.write_text(go.Figure(lines).to_html(include_plotlyjs=True))
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-m", "paribus", "verify", str(page)], check=True, capture_output=True)
            verified = time.perf_counter() - begun
            sizes = [each.stat().st_size / 1e6 for each in (page, beside)]
            paints = [first_paint_ms(browser, each) for each in (page, beside)]
            print(
                f"{len(report.trials)} trials: page {sizes[0]:.2f} MB, plotly's curves alone {sizes[1]:.2f} MB; first "
                f"paint {paints[0]:.0f} ms beside {paints[1]:.0f} ms ({paints[0] / paints[1]:.2f}); written in "
                f"{wrote:.1f} s, `paribus verify` {verified:.1f} s"
            )
            for width in (390, 700, 1280):
                assert cut_at(browser, page, width) == [], width
            assert sizes[0] < 1
        browser.close()
