"""Render the page from a leaderboard's frames and tables.

Embedded are Vega, Vega-Lite and Vega-Embed (BSD 3-Clause) in one script, as vl-convert bundles
them: the page is 0.9 MB large, and needs no network when it is made or opened.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import pandas
from markupsafe import Markup

from benchmark import __version__
from benchmark.leaderboard.files import APART, FILES, INDEX, TUNING
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.markdown import minus
from benchmark.leaderboard.pages.notes import interval_notes
from benchmark.leaderboard.pages.sheet import Sheet
from benchmark.leaderboard.pages.sheets import BY_MODEL
from benchmark.leaderboard.site import tables
from benchmark.leaderboard.site.answers import Place
from benchmark.leaderboard.site.curves import RUNS, validation_rows
from benchmark.leaderboard.site.findings import findings
from benchmark.leaderboard.site.payload import as_script, counts, payload, provenance

SCRIPTS = (
    "tables.js",
    "charts.js",
    "labels.js",
    "points.js",
    "answers.js",
    "start.js",
)  # in this order
OVER_ALL = ("overall", "plane", "against", "breakdown", "dependence", "tuning")  # over all models


def render(
    frames: Frames,
    sheets: Sequence[Sheet],
    curves: pandas.DataFrame,
    answers: Sequence[Place] = (),
    *,
    description: str = "",
    tracking: str = "",
) -> str:
    """Return the page as HTML that loads nothing: style, script, charts and data are in it.

    The same arguments give the same text. Names from the study and from tracked runs are escaped
    wherever they stand.

    Args:
        frames: The leaderboard's frames.
        sheets: :func:`benchmark.leaderboard.pages.sheets.all_sheets` of them.
        curves: :func:`benchmark.leaderboard.site.curves.curves_of` their results.
        answers: :func:`benchmark.leaderboard.site.answers.answers_of` them.
        description: What the study is about, in a sentence.
        tracking: The tracking store's address; runs are linked to it if it is a server.
    """
    results = frames.results
    style, script, library = _own("style.css"), _script(), _inline(_library())
    return _filled(
        study=results.study,
        description=description,
        counts=counts(frames),
        findings=findings(frames),
        comparisons=[s for s in sheets if s.kind in OVER_ALL and s.name != BY_MODEL],
        heat=tables.heat_map(frames, sheets),
        places=tables.place_tables(sheets),
        validation=validation_rows(results, curves),
        answered=len(answers) > 0,
        left_out=max(0, len(results.origins) - RUNS),
        intervals=list(interval_notes(frames.summary)),
        **provenance(results, tracking),
        files=[
            *(name for name in FILES if name != INDEX),
            *([APART] if len(frames.apart) else []),
            *([TUNING] if len(frames.tuning) else []),
        ],
        version=__version__,
        libraries=_versions(),
        licenses=_own("licenses.txt"),
        style=Markup(style),
        script=Markup(script),
        library=Markup(library),
        data=as_script(payload(frames, curves) | {"answers": list(answers)}),
        policy=_policy([script, library], [style]),
    )


def _filled(**shown: Any) -> str:
    """Return the page's template filled in."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_own),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (minus, tables.shade, tables.whisker, tables.sortable, tables.textual)
    environment.filters |= {function.__name__: function for function in filters}
    return environment.get_template("page.html.jinja").render(shown)


@cache
def _library() -> str:
    """Return the script that sets ``window.vegaEmbed``. Takes some 2 s, once a process."""
    import vl_convert  # 80 MB of native code: only who writes a page loads it

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle


def _versions() -> dict[str, str]:
    """Return the versions of the libraries in the script."""
    import vl_convert

    return {
        "Vega": vl_convert.get_vega_version(),
        "Vega-Lite": vl_convert.get_vegalite_versions()[-1],
        "Vega-Embed": vl_convert.get_vega_embed_version(),
    }


def _script() -> str:
    """Return the page's own scripts as one, with no name outside it."""
    return "\n".join(['"use strict";', "(() => {", *map(_own, SCRIPTS), "})();", ""])


def _own(name: str) -> str:
    """Return the text of a file of this folder."""
    file = resources.files("benchmark.leaderboard.site").joinpath(name)
    return file.read_text(encoding="utf-8")


def _inline(script: str) -> str:
    """Return a script that an HTML parser takes for no end, or comment, of its element."""
    return script.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _policy(scripts: list[str], styles: list[str]) -> str:
    """Return the Content-Security-Policy that lets the page's own scripts and style run alone."""

    def digests(texts: list[str]) -> str:
        raw = [hashlib.sha256(text.encode()).digest() for text in texts]
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in raw)

    return (
        f"default-src 'none'; script-src {digests(scripts)}; style-src {digests(styles)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
