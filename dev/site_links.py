"""Check the built site: every link leads somewhere, and no page loads anything from elsewhere."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "html"
LOADS = {"script", "img", "iframe", "source"}  # what a browser fetches by itself, links apart


class Page(HTMLParser):
    """The anchors of a page, where it leads, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.leads: set[str] = set()
        self.loads: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.leads.add(found["href"])
        if tag in LOADS and "src" in found:
            self.loads.add(found["src"])
        if tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.add(found.get("href", ""))


def faults(site: Path) -> list[str]:
    """Return what is wrong with the pages of a folder, a line each."""
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in sorted(site.rglob("*.html"))}
    found = []
    for file, page in pages.items():
        if file.name == "404.html":  # its links begin at the root of a server
            continue
        for address in sorted(page.leads | page.loads):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                outside = address in page.loads and parts.scheme != "data"
                found += [f"{file.relative_to(site)}: loads {address[:80]}"] * outside
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.is_file():
                found.append(f"{file.relative_to(site)}: leads to {address}, which is not there")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors | {""}:
                found.append(f"{file.relative_to(site)}: no anchor for {address}")
    return found


if __name__ == "__main__":
    told = faults(SITE)
    print("\n".join(told) or "all links lead somewhere")
    sys.exit(bool(told))
