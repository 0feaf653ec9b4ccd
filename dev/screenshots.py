"""Take pictures of pages at the widths of a phone and a desktop.

``python dev/screenshots.py results/leaderboards/laboratory/index.html docs/images/laboratory``
writes ``docs/images/laboratory-360.png`` and ``-1440.png``: the top of the page, in light colours.
With ``build/html/index.html``, after ``make site``, those of the site's first page.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.leaderboard.browser import NARROW, WIDE, browser, picture, prefer, resize, save, visit

HEIGHTS = {NARROW: 1600, WIDE: 1300}  # pixels of the page that are shown
LARGEST = 150_000  # bytes of a file


def take(page: Path, stem: Path) -> list[Path]:
    """Take a picture of a page from disk at each width; return the files.

    Raises:
        SystemExit: A file is larger than the documents should hold.
    """
    files = []
    with browser() as driver:
        prefer(driver, color_scheme="light")
        for size, height in HEIGHTS.items():
            resize(driver, *size)
            if "mkdocs" in page.read_text(encoding="utf-8"):  # the site draws nothing later
                driver.get(page.absolute().as_uri())
            else:
                visit(driver, page)
            file = stem.with_name(f"{stem.name}-{size[0]}.png")
            save(picture(driver, 0, height, size[0]), file)
            if file.stat().st_size > LARGEST:
                raise SystemExit(f"{file}: {file.stat().st_size} bytes, above {LARGEST}")
            files.append(file)
    return files


if __name__ == "__main__":
    for written in take(Path(sys.argv[1]), Path(sys.argv[2])):
        print(written)
