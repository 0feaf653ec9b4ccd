"""Write tables in LaTeX: booktabs, the best value bold, the second underlined, text escaped.

They need only the packages ``booktabs`` and ``graphicx``, and compile with pdfLaTeX.
"""

import re
from collections.abc import Iterable, Sequence

from benchmark.leaderboard.pages.sheet import Cell, Flag, Sheet

HEADER = """\
% Tables to be \\input; they need \\usepackage{booktabs,graphicx} and \\usepackage[T1]{fontenc}.
% Bold: best of a column; underlined: second best; $\\downarrow$: interfered with.
"""
DOCUMENT = """\
\\documentclass{article}
\\usepackage[T1]{fontenc}
\\usepackage[a4paper,landscape,margin=15mm]{geometry}
\\usepackage{booktabs,graphicx}
\\begin{document}
\\input{tables.tex}
\\input{cost.tex}
\\end{document}
"""
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "–": "--",
    "…": r"\ldots{}",
    "Δ": r"$\Delta$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "-": "{-}",  # two in a row are two, and no dash
    **{character: f"\\{character}" for character in "&%$#_"},
}
_SIGNED = re.compile(r"(?<![\w.+}])(\+|\{-\})(?=\d)")
_LATIN = range(0x20, 0x100)  # what T1 fonts are sure to have


def escape(text: str) -> str:
    """Return text that LaTeX shows as it is; a character it has no glyph for by its number."""
    return _one_line(text).translate(_GLYPHS)


class _Glyphs(dict[int, str]):
    """What stands for each character, by its number; those not special are found when met."""

    def __missing__(self, code: int) -> str:
        self[code] = chr(code) if _plain(chr(code)) else f"[U+{code:04X}]"
        return self[code]


_GLYPHS = _Glyphs({ord(character): text for character, text in _SPECIAL.items()})


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _plain(character: str) -> bool:
    return ord(character) in _LATIN and character.isprintable()


def tables(sheets: Sequence[Sheet], notes: Sequence[str]) -> str:
    """Return the tables, each a float with caption and label, and the notes beneath each.

    The matrices come last.
    """
    ordered = sorted(sheets, key=lambda sheet: sheet.kind == "matrix")
    return HEADER + "\n".join(_table(sheet, [sheet.note, *notes]) for sheet in ordered)


def _table(sheet: Sheet, notes: Sequence[str]) -> str:
    columns = "l" + "r" * (len(sheet.header) - 1)
    lines = [_line(escape(name) for name in sheet.header), r"\midrule"]
    lines += [_line(_cell(cell) for cell in row) for row in sheet.rows]
    body = "\n".join(lines)
    told = escape(" ".join(notes))
    below = f"\n\\par\\smallskip\\footnotesize {told}" if told else ""
    # The box shrinks a table that is wider than the text, and no other.
    return (
        "\\begin{table}[htbp]\n\\centering\n"
        f"\\caption{{{escape(sheet.caption)}}}\n\\label{{tab:{_label(sheet.name)}}}\n"
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%\n"
        f"\\begin{{tabular}}{{{columns}}}\n\\toprule\n{body}\n\\bottomrule\n\\end{{tabular}}}}"
        f"{below}\n\\end{{table}}\n"
    )


def _line(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(cell: Cell) -> str:
    text = _SIGNED.sub(lambda found: f"${found[0].strip('{}')}$", escape(cell.words))
    if cell.place == 1:
        text = f"\\textbf{{{text}}}"
    elif cell.place == 2:
        text = f"\\underline{{{text}}}"
    return text + (r"~$\downarrow$" if cell.flag == Flag.INTERFERED else "")


def _label(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name)
