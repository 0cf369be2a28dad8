"""Takes the README's pictures from a dashboard that runs: `python dashboards/images/screenshots.py STUDY [--url URL]`.

Needs Chromium and the `dev` extra (playwright). Writes PNGs below 300 KB into dashboards/images/.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

IMAGES = Path(__file__).parent
SIZE = {"width": 1400, "height": 900}
LIMIT_BYTES = 300_000
WAIT_MS = 90_000
# Chromium as a plain process: no sandbox of its own, nothing fetched behind our back.
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """The system's Chromium, if it has one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def open_page(browser: Browser, address: str, *, height: int = SIZE["height"]) -> Page:
    """A page of the dashboard, light and ready: its title is there and no script is running."""
    page = browser.new_page(viewport={"width": SIZE["width"], "height": height}, color_scheme="light")
    page.goto(address)
    settle(page)
    return page


def drawn(page: Page) -> None:
    """Wait until the script that draws the page has ended and nothing is a placeholder or a still any more."""
    page.wait_for_selector("#ahead", state="detached", timeout=WAIT_MS)
    page.wait_for_selector("h1", timeout=WAIT_MS)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=WAIT_MS)
    page.wait_for_function(
        "() => !document.querySelector('[data-testid=stSkeleton], [data-testid=stSpinner]') "
        "&& !document.body.innerText.includes('reading the')",
        timeout=WAIT_MS,
    )


def settle(page: Page) -> None:
    """Wait until the page is drawn, with its figure, and stands still; raises where it shows an error."""
    drawn(page)
    if any(f"/{name}?study=" in page.url for name in ("study", "curves")):
        page.wait_for_selector("figure svg", timeout=WAIT_MS)
    page.wait_for_timeout(1500)
    if page.get_by_test_id("stException").count():
        raise RuntimeError(f"{page.url} shows an error: see the dashboard's log, and start it again after an update")


def whole_cards(page: Page) -> FloatRect:
    """The part of Home down to the last study that shows whole."""
    boxes = [card.bounding_box() for card in page.locator('[class*="st-key-card-"]').all()]
    bottoms = [box["y"] + box["height"] + 24 for box in boxes if box]
    shown = [bottom for bottom in bottoms if bottom <= SIZE["height"]] or [SIZE["height"]]
    return {"x": 0, "y": 0, "width": SIZE["width"], "height": max(shown)}


def save(png: bytes, path: Path) -> Path:
    """Write a picture, with as few colours as it takes to stay below the limit."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (256, 128, 64, 32):
        packed = io.BytesIO()
        picture.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            packed, "PNG", optimize=True
        )
        if packed.tell() <= LIMIT_BYTES:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed.getvalue())
    return path


def take(url: str, study: str, folder: Path = IMAGES) -> list[Path]:
    """Home, the top of the Study page, and its learning curves."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGS)
        try:
            home = open_page(browser, url)
            taken = [save(home.screenshot(clip=whole_cards(home)), folder / "home.png")]
            page = open_page(browser, f"{url}/study?study={study}", height=1100)
            taken.append(save(page.screenshot(), folder / "study.png"))
            page = open_page(browser, f"{url}/curves?study={study}")
            taken.append(save(page.screenshot(), folder / "curves.png"))
        finally:
            browser.close()
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("study")
    parser.add_argument("--url", default="http://127.0.0.1:8501")
    parser.add_argument("--out", type=Path, default=IMAGES)
    args = parser.parse_args()
    if chromium() is None:
        print("Chromium is missing: `make browser` installs it", file=sys.stderr)
        return 1
    for path in take(args.url.rstrip("/"), args.study, args.out):
        print(f"{path}  {path.stat().st_size / 1000:.0f} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
