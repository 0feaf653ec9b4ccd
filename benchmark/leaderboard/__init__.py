"""Leaderboards: tracked runs -> frames -> files of Markdown, CSV, LaTeX and HTML."""
