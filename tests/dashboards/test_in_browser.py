"""The dashboard as a person meets it: a real `streamlit run`, a real ledger, headless Chromium."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from needed import missing
from playwright.sync_api import Browser, Page, expect, sync_playwright

from paribus.execution.run_ledger import view_of
from paribus.study import Study
from paribus.study.words import Arm
from paribus.tracking import MlflowRest, StudyHeader, open_study
from paribus.tracking.mlflow.server import ServerProcess
from paribus.tracking.mlflow.view import runs_url
from paribus_dashboards.images.screenshots import CHROMIUM_ARGS, LIMIT_BYTES, chromium, open_page, settle

pytestmark = [pytest.mark.cluster, pytest.mark.browser]

ROOT = Path(__file__).parents[2]
PATIENCE_MS = 60_000
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium() is None:
        missing("Chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def line(mlflow_server: ServerProcess, wire_to: Callable[[str], Any]) -> Any:
    """The dashboard's line to the ledger, which a test may cut and mend."""
    return wire_to(mlflow_server.uri)


@pytest.fixture(scope="module")
def dashboard(browser: Browser, line: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dashboard of our own, started as `paribus up` starts it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("dashboard") / "streamlit.log"
    command = [sys.executable, "-m", "streamlit", "run", "dashboards/home.py", "--server.headless", "true"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
    env = {**os.environ, "MLFLOW_TRACKING_URI": line.uri, "NO_PROXY": "127.0.0.1"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_up(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)
    assert "Traceback" not in log.read_text()


def wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/_stcore/health", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"streamlit did not come up:\n{log.read_text()}")


def assert_no_exception(page: Page) -> None:
    assert page.get_by_test_id("stException").count() == 0
    assert "Traceback" not in page.inner_text("body")


def test_from_home_to_a_study_with_its_figures_table_and_download(
    browser: Browser, dashboard: str, whole_study: Study
) -> None:
    page = open_page(browser, dashboard)
    expect(page.get_by_text("37 finished, 3 diverged")).to_be_visible(timeout=PATIENCE_MS)
    assert_no_exception(page)
    page.get_by_role("link", name=whole_study.name, exact=True).click()
    expect(page.get_by_role("heading", name=whole_study.name, exact=True)).to_be_visible(timeout=PATIENCE_MS)
    assert page.url.endswith(f"/study?study={whole_study.name}")
    settle(page)
    figure = page.locator("figure#effects")
    expect(figure).to_be_visible(timeout=PATIENCE_MS)
    # Every replicate of every contrast is a point: three at depth 16 with 5 pairs, three at depth 40 with 2.
    assert figure.locator("circle[r='3.5']").count() == 21
    # Arms, contrasts.
    expect(page.get_by_test_id("stTable")).to_have_count(2)
    with page.expect_download() as started:
        page.get_by_role("button", name="CSV", exact=True).last.click()
    rows = Path(started.value.path()).read_text().splitlines()
    assert rows[0].startswith("study,arm,baseline,metric,unit,verdict")
    assert len([row for row in rows[1:] if ",top1," in row]) == 6
    with page.expect_download() as started:
        page.get_by_role("button", name="SVG of the figure").click()
    picture = ET.parse(started.value.path()).getroot()
    # As it is seen, without a style sheet: colours are worked out, and each word of the rows is there.
    assert len([each for each in picture.iter(f"{SVG}circle") if each.get("r") == "3.5"]) == 21
    assert b"var(" not in ET.tostring(picture)
    assert {"unresolved", "against"} <= {each.text for each in picture.iter(f"{SVG}text")}
    page.get_by_text("evaluation loss (secondary)").click()
    loss = page.get_by_label("Effects on evaluation loss with intervals, one row an arm")
    expect(loss).to_be_visible(timeout=PATIENCE_MS)
    settle(page)
    page.go_back()
    expect(page.get_by_label("Effects on top-1 accuracy with intervals, one row an arm")).to_be_visible()
    assert "metric=" not in page.url
    page.get_by_role("link", name="Curves", exact=True).click()
    expect(page.get_by_role("heading", name="Learning curves")).to_be_visible(timeout=PATIENCE_MS)
    assert page.url.endswith(f"/curves?study={whole_study.name}")
    assert_no_exception(page)
    page.close()


def test_a_running_study_moves_on_an_open_page_by_itself(
    browser: Browser, dashboard: str, filler: Any, make_study: Callable[..., Study]
) -> None:
    study = make_study("browser_running", factors={"model.depth": (16, 22)}, baseline=None, claim=None, replicates=2)
    ended = 1

    def fate(arm: Arm, replicate: int) -> str:
        return "finished" if replicate <= ended else "missing"

    with filler.driver(study, fate) as run:
        page = open_page(browser, f"{dashboard}/study?study={study.name}")
        expect(page.get_by_text("2 of 4 trials have ended").first).to_be_visible(timeout=PATIENCE_MS)
        ended = 2
        filler.record(study, fate, replicates=[2])
        run.heartbeat({"finished": 4})
        expect(page.get_by_text("4 of 4 trials")).to_be_visible(timeout=PATIENCE_MS)
        assert_no_exception(page)
        page.close()


def test_streamlits_own_files_come_compressed_to_who_takes_that(dashboard: str) -> None:
    with httpx.Client(base_url=dashboard, trust_env=False) as client:
        found = re.search(r'src="\.(/static/js/[^"]+)"', client.get("/").text)
        assert found
        plain, packed = (client.get(found[1], headers={"Accept-Encoding": takes}) for takes in ("identity", "gzip"))
        known = client.get(found[1], headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]})
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.num_bytes_downloaded < len(plain.content) / 2
    assert (known.status_code, known.content) == (304, b"")


def test_what_is_known_of_a_page_comes_with_its_first_answer_and_to_no_other_site(
    dashboard: str, whole_study: Study
) -> None:
    address, deadline = f"/study?study={whole_study.name}", time.monotonic() + PATIENCE_MS / 1000
    with httpx.Client(base_url=dashboard, trust_env=False) as client:
        assert f"<h1>{whole_study.name}" in client.get(address).text
        # What the first visit asks for is read meanwhile, and known to who comes later.
        while 'id="ahead" data-whole' not in (found := client.get(address)).text and time.monotonic() < deadline:
            time.sleep(0.2)
        packed, again = found.headers["Content-Encoding"], {"If-Modified-Since": "Tue, 01 Dec 2099 00:00:00 GMT"}
        assert client.get(address, headers=again).text == found.text
        rebound = client.get(address, headers={"Host": "elsewhere.example"}).text
        other, script = client.get("/search?search=one").text, client.get("/static/js/none.js").text
    assert packed == "gzip"
    assert found.text.count("<circle cx=") >= 21
    assert whole_study.question in found.text
    assert found.text.index('id="ahead"') < found.text.index('id="root"')
    for plain in (rebound, other, script):
        assert 'id="ahead"' not in plain
        assert whole_study.question not in plain


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault_of_access_and_nothing_is_cut_on_a_phone(
    browser: Browser, dashboard: str, whole_study: Study, scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    # Those that between them have every part that pages are made of; tests/benchmarks/dashboards/look.py walks all.
    names = ("study", "effects", "examples", "trials") if scheme == "light" else ("study",)
    for path in ("", *(f"/{name}?study={whole_study.name}" for name in names)):
        page.goto(dashboard + path)
        settle(page)
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        faults = [fault for fault in found if fault["impact"] in ("serious", "critical")]
        assert [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in faults] == [], path
        ground = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
        assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 28)"}[scheme]
        assert page.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth") == 0, path
    context.close()


@pytest.mark.parametrize("path", ["", "/study?study=residual_scale"])
def test_an_outage_shows_on_an_open_page_and_ends_by_itself(
    browser: Browser, dashboard: str, line: Any, whole_study: Study, path: str
) -> None:
    page = open_page(browser, dashboard + path)
    expect(page.get_by_text(whole_study.question).first).to_be_visible(timeout=PATIENCE_MS)
    message = page.get_by_text(f"No MLflow server answers at {line.uri}")
    line.cut()
    try:
        expect(message).to_be_visible(timeout=PATIENCE_MS)
        assert_no_exception(page)
    finally:
        line.mend()
    expect(message).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.get_by_text(whole_study.question).first).to_be_visible(timeout=PATIENCE_MS)
    page.close()


def test_the_pictures_for_the_readme_are_small(dashboard: str, whole_study: Study, tmp_path: Path) -> None:
    command = [sys.executable, "dashboards/images/screenshots.py", whole_study.name, "--url", dashboard]
    subprocess.run([*command, "--out", str(tmp_path)], cwd=ROOT, check=True, timeout=280)
    pictures = sorted(tmp_path.glob("*.png"))
    assert [picture.name for picture in pictures] == ["curves.png", "home.png", "study.png"]
    for picture in pictures:
        assert 5_000 < picture.stat().st_size <= LIMIT_BYTES


def test_mlflows_page_of_a_study_opens_by_arm_with_its_learning_curves(
    browser: Browser, mlflow_server: ServerProcess, filler: Any, make_study: Callable[..., Study]
) -> None:
    """MLflow's own pages, from what the driver keeps: a view that a later MLflow no longer reads would fail here."""
    study = make_study("in_mlflow", factors={"model.width": (1.0, 2.0)}, baseline=None, claim=None, replicates=2)
    filler.finished(study)
    with MlflowRest(mlflow_server.uri) as rest:
        run = open_study(rest, StudyHeader(name=study.name, view=view_of(study, study.factors)))
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.goto(runs_url(mlflow_server.uri, run.experiment_id, run.run_id))
    for shown in ("k=1", "k=2", "Group by: paribus.arm_name", "Sort: final/top1"):
        expect(page.get_by_text(shown, exact=True).first).to_be_visible(timeout=PATIENCE_MS)
    for column in ("final/top1", "model.width"):
        expect(page.get_by_role("columnheader", name=column, exact=True).first).to_be_visible()
    page.goto(runs_url(mlflow_server.uri, run.experiment_id, run.run_id, charts=True))
    expect(page.get_by_text("Learning curves", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    assert page.get_by_text("does not exist").count() == 0
    page.close()
