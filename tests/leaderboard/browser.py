"""A headless Chromium to look at the page with.

As a program it takes a page's pictures for the documents:
``python -m tests.leaderboard.browser results/leaderboards/quick/index.html docs/images``.
"""

import base64
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from PIL import Image
from selenium import webdriver

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
DESKTOP, PHONE = (1280, 900), (390, 844)
WIDE, NARROW = (1440, 900), (360, 800)
PAPER = (688, 900)  # A4 without its margins
PATIENCE = 60.0  # seconds for the charts to be there, on a busy machine
LARGEST = 300_000  # bytes of a picture


@contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """Yield a browser with a profile of its own, in a desktop's window."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or ""
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        try:
            resize(driver, *DESKTOP)
            yield driver
        finally:
            driver.quit()


def resize(driver: webdriver.Chrome, width: int, height: int) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def prefer(driver: webdriver.Chrome, **features: str) -> None:
    """Set media features by name: ``color_scheme="dark"``."""
    named = {f"prefers-{name.replace('_', '-')}": value for name, value in features.items()}
    listed = [{"name": name, "value": value} for name, value in named.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})


def visit(driver: webdriver.Chrome, page: Path) -> None:
    """Open a page from disk and wait until its charts are drawn."""
    driver.get(page.absolute().as_uri())
    deadline = time.monotonic() + PATIENCE
    while not driver.execute_script("return document.documentElement.dataset.ready"):
        assert time.monotonic() < deadline, driver.get_log("browser")
        time.sleep(0.05)


def accessibility_faults(driver: webdriver.Chrome) -> list[str]:
    """Return what axe-core has against the page, all that folds up unfolded: a line per element."""
    driver.execute_script(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found = driver.execute_async_script(
        "const done = arguments[0];"
        "document.querySelectorAll('details').forEach((each) => { each.open = true; });"
        "axe.run(document, {resultTypes: ['violations']}).then((found) => done(found.violations));"
    )
    return [
        f"{rule['id']}: {rule['help']}: {' '.join(map(str, node['target']))}"
        for rule in found
        for node in rule["nodes"]
    ]


def picture(driver: webdriver.Chrome, top: int, height: int, width: int) -> Image.Image:
    """Return what the page shows from ``top`` on, over its whole width."""
    clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
    taken = driver.execute_cdp_cmd(
        "Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True}
    )
    return Image.open(io.BytesIO(base64.b64decode(taken["data"])))


def top_of(driver: webdriver.Chrome, selector: str) -> int:
    """Return how far below the top of the page an element starts, in pixels."""
    script = "return document.querySelector(arguments[0]).getBoundingClientRect().top + scrollY"
    return int(driver.execute_script(script, selector))


def save(image: Image.Image, file: Path) -> None:
    """Write a picture as a small PNG: 256 colours are enough for a page."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    assert file.stat().st_size < LARGEST, f"{file}: {file.stat().st_size} bytes"


def take_pictures(page: Path, folder: Path) -> None:
    """Take the two pictures of the documents: the top of the page, and the curves in the dark."""
    with browser() as driver:
        prefer(driver, color_scheme="light")
        visit(driver, page)
        end = top_of(driver, "#models") + 24
        save(picture(driver, 0, end, DESKTOP[0]), folder / "leaderboard.png")
        prefer(driver, color_scheme="dark")
        start, end = top_of(driver, "#curves") + 24, top_of(driver, "#reading") + 24
        save(picture(driver, start, end - start, DESKTOP[0]), folder / "curves.png")


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]), Path(sys.argv[2]))
