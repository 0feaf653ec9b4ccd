"""From a study's results to the page's text."""

import base64
import hashlib
from importlib import resources

import pandas
from markupsafe import Markup

from benchmark import __version__
from benchmark.leaderboard.frames.all import interval_notes
from benchmark.leaderboard.frames.overall import Overall
from benchmark.leaderboard.pages.sheet import Sheet
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.site import charts
from benchmark.leaderboard.site.curves import RUNS
from benchmark.leaderboard.site.findings import findings
from benchmark.leaderboard.site.heat import heat_map
from benchmark.leaderboard.site.payload import as_script, payload
from benchmark.leaderboard.site.provenance import counts, provenance, validation
from benchmark.leaderboard.site.tables import group_tables, overall_table


def render(
    results: Table,
    summary: pandas.DataFrame,
    overall: Overall,
    matrices: pandas.DataFrame,
    curves: pandas.DataFrame,
    *,
    against: Sheet | None = None,
    description: str = "",
    tracking: str = "",
) -> str:
    """Return the page as HTML that loads nothing: style, script, charts and data are in it.

    The same arguments give the same text. Names from the study and from tracked runs are escaped
    wherever they stand.

    Args:
        results: The study's results.
        summary: :func:`benchmark.leaderboard.frames.summary.summarise` of their cells. A column
            ``attribution`` (why an objective is interfered with) is shown where it is.
        overall: :func:`benchmark.leaderboard.frames.overall.compare` of them.
        matrices: :func:`benchmark.leaderboard.frames.overall.interference_matrices` of them.
        curves: :func:`benchmark.leaderboard.site.curves.curves_of` them.
        against: The table of algorithms against ``linear``, where it was tested.
        description: What the study is about, in a sentence.
        tracking: The tracking store's address; runs are linked to it if it is a server.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_own),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script, library = _own("style.css"), _own("page.js"), _inline(charts.library())
    return environment.get_template("page.html.jinja").render(
        study=results.study,
        description=description,
        counts=counts(results, summary),
        findings=findings(summary, overall, matrices),
        overall=overall_table(overall),
        against=against,
        heat=heat_map(results, summary, overall),
        groups=group_tables(results, summary, matrices),
        validation=validation(results, curves),
        left_out=max(0, len(results.origins) - RUNS),
        intervals=list(interval_notes(summary)),
        **provenance(results, tracking),
        version=__version__,
        libraries=charts.versions(),
        licenses=_own("licenses.txt"),
        style=Markup(style),
        script=Markup(script),
        library=Markup(library),
        data=as_script(payload(results, summary, curves)),
        policy=_policy([library, script], [style]),
    )


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
