"""The charting library that is embedded in the page.

Vega, Vega-Lite and Vega-Embed (BSD 3-Clause) in one script, as vl-convert bundles them. It is what
makes the page 0.9 MB large, and needs no network when it is made or opened.
"""

from functools import cache


@cache
def library() -> str:
    """Return the script that sets ``window.vegaEmbed``. Takes some 2 s, once a process."""
    import vl_convert  # 80 MB of native code: only who writes a page loads it

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle


def versions() -> dict[str, str]:
    """Return the versions of the libraries in the script."""
    import vl_convert

    return {
        "Vega": vl_convert.get_vega_version(),
        "Vega-Lite": vl_convert.get_vegalite_versions()[-1],
        "Vega-Embed": vl_convert.get_vega_embed_version(),
    }
