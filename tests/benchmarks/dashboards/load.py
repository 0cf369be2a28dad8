#!/usr/bin/env python
"""How soon the dashboard shows a large ledger, in headless Chromium, beside optuna-dashboard on as many trials.

    tests/benchmarks/dashboards/load.py [--trials 1000] [--epochs 100] [--optuna VENV] [--rounds 5] [--keep FOLDER]

A real MLflow server with the study, a real `streamlit run`; VENV is an environment with optuna-dashboard, which gets an
SQLite study of as many trials and intermediate values in the same run. Each round opens each page in a browser with an
empty cache and then again with what the first visit left ("again"); the dashboard's own caches are warm from the first
round on, so that it is left out. Milliseconds from the navigation to the first paint that the browser reports, and to
the moment when what the page is for is there: a card's result, the picture of effects; a click is from a choice to the
end of what it draws. Bytes are those that the browser got; of sockets, as it reads them, though they come compressed.
The first answer says what is known of a page as a still (dashboards/ahead), in which a plot is seen as in the page;
"the page itself" is when the still has left, from when on it can be used. Medians; `--keep` keeps the ledger.

On a machine that others use, wall-clock time tells little. "CPU" is what a visit with an empty cache took of processors
until the page itself was there: of the dashboard and MLflow's server, or of optuna-dashboard; and of the browser.
Together they are the least that it can take on one core. Each visit goes to stderr; the first, "cold", fills the
caches.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import psutil
from filled import fill, fill_another
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from paribus.tracking.errors import LedgerError
from paribus.tracking.mlflow.server import ServerProcess, start_server
from paribus_dashboards.images.screenshots import CHROMIUM_ARGS, chromium

ROOT = Path(__file__).resolve().parents[3]
WAIT_MS = 600_000
# Its storage takes a second for ten trials of 100 values: those beyond the first hundred are rows again, as ours are.
STUDY_OF_OPTUNA = """
import sqlite3, sys, optuna
from optuna.trial import create_trial
path, trials, values = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
storage = "sqlite:///" + path
study = optuna.create_study(storage=storage, study_name="load", direction="maximize", load_if_exists=True)
space = {"width": optuna.distributions.FloatDistribution(1, 4), "depth": optuna.distributions.IntDistribution(10, 28)}
if not study.get_trials(deepcopy=False):
    curve = {e: 95 - 80 / (1 + e) for e in range(values)}
    first = min(trials, 100)
    study.add_trials([create_trial(params={"width": 1 + 3 * (i % 50) / 50, "depth": 10 + i % 19}, distributions=space,
        value=95 + i % 7 / 7, intermediate_values=curve) for i in range(first)])
    with sqlite3.connect(path) as base:
        base.execute("CREATE TEMP TABLE again (old INT, new INT)")
        base.executemany("INSERT INTO again VALUES (?, ?)", [(1 + i % first, i + 1) for i in range(first, trials)])
        for table in ("trials", "trial_params", "trial_values", "trial_intermediate_values"):
            told = base.execute(f"PRAGMA table_info({table})")
            columns = [row[1] for row in told if row[1] == "trial_id" or not row[5]]
            made = {"trial_id": "new", "number": "new - 1"}
            told = ", ".join(made.get(each, f"{table}.{each}") for each in columns)
            what = f"SELECT {told} FROM {table} JOIN again ON trial_id = old"
            base.execute(f"INSERT INTO {table} ({', '.join(columns)}) {what}")
"""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A page: its name, address, what tells that it shows what it is for, and a choice with what tells it is drawn."""

    name: str
    url: str
    plot: str
    click: Callable[[Page], None] | None = None
    servers: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Milliseconds, and megabytes that were sent."""

    paint: float
    plot: float
    own: float
    click: float | None
    mb: float
    server: float = 0.0
    browser: float = 0.0


def cpu_s(roots: Iterable[int], named: str = "") -> dict[int, float]:
    """By process, the processor seconds of these and of all below them that are there now and have that in the name."""
    total: dict[int, float] = {}
    for root in roots:
        with suppress(psutil.Error):
            process = psutil.Process(root)
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    times = each.cpu_times()
                    if named in each.name():
                        total[each.pid] = times.user + times.system
    return total


def spent_ms(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """The processor time between the two, of the processes that are there at its end: others may have ended in it."""
    return 1000 * sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def visit(context: BrowserContext, shown: Shown) -> Visit:
    """Open the page and look at it."""
    before = cpu_s(shown.servers), cpu_s([os.getpid()], "chrom")
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    sent = {"bytes": 0}

    def count(event: dict[str, object]) -> None:
        sent["bytes"] += int(float(str(event.get("encodedDataLength", 0))))

    def frame(event: dict[str, dict[str, str]]) -> None:
        sent["bytes"] += len(event["response"]["payloadData"]) * (3 if event["response"].get("opcode") == 2 else 4) // 4

    network.on("Network.loadingFinished", count)
    network.on("Network.webSocketFrameReceived", frame)
    start = time.perf_counter()
    page.goto(shown.url, wait_until="commit")
    page.locator(shown.plot).first.wait_for(state="visible", timeout=WAIT_MS)
    plot = 1000 * (time.perf_counter() - start)
    page.locator("#ahead").wait_for(state="detached", timeout=WAIT_MS)
    page.locator(shown.plot).first.wait_for(state="visible", timeout=WAIT_MS)
    own = 1000 * (time.perf_counter() - start)
    server, chromium_ms = spent_ms(before[0], cpu_s(shown.servers)), spent_ms(before[1], cpu_s([os.getpid()], "chrom"))
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
    with suppress(Exception):
        page.wait_for_load_state("networkidle", timeout=2_000)
    click = None
    if shown.click is not None:
        page.wait_for_timeout(500)
        start = time.perf_counter()
        shown.click(page)
        click = 1000 * (time.perf_counter() - start)
    page.close()
    mb = sent["bytes"] / 1e6
    return Visit(paint=float(paint), plot=plot, own=own, click=click, mb=mb, server=server, browser=chromium_ms)


def search_home(page: Page) -> None:
    """Narrow Home to what is not there: no card is left."""
    page.get_by_label("Search").fill("no such study")
    page.get_by_label("Search").press("Enter")
    page.get_by_text("No study or search is like that").wait_for(timeout=WAIT_MS)


def other_metric(page: Page) -> None:
    """The effects on another metric."""
    page.get_by_text("mean log-likelihood (secondary)").click()
    page.get_by_label("Effects on mean log-likelihood with intervals, one row an arm").wait_for(timeout=WAIT_MS)


@contextmanager
def served(command: list[str], url: str, env: dict[str, str], log: Path) -> Iterator[int]:
    """A server in a process of its own, as soon as it answers; its id."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 900
        while True:
            with suppress(OSError):
                urllib.request.urlopen(url, timeout=5).close()
                break
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit(f"{command[0]} did not come up:\n{log.read_text()}")
            time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=120)


def patiently(folder: Path) -> ServerProcess:
    """MLflow's server, which on a machine that others use does not always come up within its two minutes."""
    for _ in range(4):
        with suppress(LedgerError):
            return start_server(folder)
    return start_server(folder)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def rounds_of(browser: Browser, pages: list[Shown], rounds: int) -> dict[str, tuple[list[Visit], list[Visit]]]:
    """By page, the visits with an empty cache and those that follow; the pages take turns."""
    found: dict[str, tuple[list[Visit], list[Visit]]] = {shown.name: ([], []) for shown in pages}
    for number in range(rounds + 1):
        for shown in pages:
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            first, again = visit(context, shown), visit(context, shown)
            context.close()
            when = f"{'warm' if number else 'cold'} at load {os.getloadavg()[0]:.1f}"
            print(f"{shown.name}: {when} {first}", file=sys.stderr, flush=True)
            if number:
                found[shown.name][0].append(first)
                found[shown.name][1].append(again)
    return found


def report(found: dict[str, tuple[list[Visit], list[Visit]]]) -> None:
    """A line a page."""
    heads = "page | first paint | first plot | the page itself | click | MB"
    heads += " | CPU of servers | of the browser | again: first plot | MB"
    print(f"| {heads} |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, (first, again) in found.items():
        clicks = [each.click for each in first if each.click is not None]
        click = f"{median(clicks):.0f} ms" if clicks else "-"
        seen = (median(getattr(each, what) for each in first) for what in ("paint", "plot", "own", "mb"))
        paint, plot, own, mb = seen
        server, chromium_ms = (median(getattr(each, what) for each in first) for what in ("server", "browser"))
        later, mb_later = (median(getattr(each, what) for each in again) for what in ("plot", "mb"))
        cpu = f"{server:.0f} ms | {chromium_ms:.0f} ms"
        once = f"{paint:.0f} ms | {plot:.0f} ms | {own:.0f} ms | {click} | {mb:.2f}"
        print(f"| {name} | {once} | {cpu} | {later:.0f} ms | {mb_later:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--optuna", type=Path)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        measure(args, args.keep or Path(made))


def measure(args: argparse.Namespace, folder: Path) -> None:
    """Fill, serve, visit and report."""
    filled = folder / "filled.json"
    folder.mkdir(parents=True, exist_ok=True)
    server = patiently(folder)
    try:
        if not filled.exists():
            start = time.perf_counter()
            fill(server.uri, folder, args.trials, args.epochs)
            filled.write_text(json.dumps({"seconds": time.perf_counter() - start}))
        fill_another(server.uri)
        ours = f"http://127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "streamlit", "run", "dashboards/home.py", "--server.headless", "true"]
        command += ["--server.address", "127.0.0.1", "--server.port", ours.rpartition(":")[2]]
        env = {**os.environ, "MLFLOW_TRACKING_URI": server.uri, "NO_PROXY": "127.0.0.1"}
        pages = [
            Shown(name="Home", url=ours, plot="text=/n = \\d/", click=search_home),
            Shown(name="Study", url=f"{ours}/study?study=load", plot="figure#effects svg circle", click=other_metric),
            Shown(name="Curves", url=f"{ours}/curves?study=load", plot="figure#curves svg polyline"),
            Shown(name="Trials", url=f"{ours}/trials?study=load", plot='[data-testid="stDataFrame"] canvas'),
        ]
        with (
            served(command, f"{ours}/_stcore/health", env, folder / "streamlit.log") as dashboard,
            optuna(args, folder) as theirs,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
            own = [replace(shown, servers=(dashboard, server.pid)) for shown in pages]
            report(rounds_of(browser, [*own, *theirs], args.rounds))
            browser.close()
    finally:
        server.stop()


@contextmanager
def optuna(args: argparse.Namespace, folder: Path) -> Iterator[list[Shown]]:
    """optuna-dashboard on as many trials beside ours: its pages to visit; none without it."""
    if args.optuna is None:
        yield []
        return
    base = str(folder / "optuna.db")
    storage = f"sqlite:///{base}"
    python = str(args.optuna / "bin" / "python")
    subprocess.run([python, "-c", STUDY_OF_OPTUNA, base, str(args.trials), str(args.epochs)], check=True)
    url = f"http://127.0.0.1:{free_port()}"
    command = [str(args.optuna / "bin" / "optuna-dashboard"), storage, "--port", url.rpartition(":")[2]]
    with served(command, url, dict(os.environ), folder / "optuna.log") as pid:
        home = Shown(name="optuna-dashboard, studies", url=f"{url}/dashboard", plot="text=load", servers=(pid,))
        plot = ".js-plotly-plot .scatterlayer"
        yield [home, replace(home, name="optuna-dashboard, study", url=f"{url}/dashboard/studies/1", plot=plot)]


if __name__ == "__main__":
    main()
