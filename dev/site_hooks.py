"""Hooks of mkdocs: formulas become MathML when the site is built, so that it loads no script."""

import html
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

STYLE = """\
iframe { border: 1px solid var(--md-default-fg-color--lightest); height: 40rem; width: 100%; }
.arithmatex { overflow-x: auto; }
.md-grid { max-width: 76rem; }
"""
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.S)


def on_page_content(text: str, **_: Any) -> str:
    return _FORMULA.sub(_mathml, text)


def _mathml(found: re.Match[str]) -> str:
    tag, opening, formula = found.groups()
    display = "block" if opening == "[" else "inline"
    return f'<{tag} class="arithmatex">{convert(html.unescape(formula), display=display)}</{tag}>'


def on_post_build(config: Any, **_: Any) -> None:
    Path(config["site_dir"], "site.css").write_text(STYLE, encoding="utf-8")
