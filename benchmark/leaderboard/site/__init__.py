"""A study's page: one HTML file that opens offline, with tables, charts and provenance."""

from benchmark.leaderboard.site.curves import curves_of
from benchmark.leaderboard.site.rendering import render

__all__ = ["curves_of", "render"]
