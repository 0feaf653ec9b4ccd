"""Write frames as Markdown, LaTeX and figures."""
