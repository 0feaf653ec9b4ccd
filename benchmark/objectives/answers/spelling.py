r"""One spelling for what LaTeX and plain text spell in many ways."""

import re
from collections.abc import Callable

FUNCTIONS = (
    "arcsin", "arccos", "arctan", "arccot", "sinh", "cosh", "tanh", "coth", "sin", "cos", "tan",
    "cot", "sec", "csc", "ln", "log", "lg", "exp",
)  # fmt: skip
_GREEK = (
    "alpha beta gamma delta epsilon theta lambda mu rho sigma tau phi omega Delta Omega Theta Phi"
)
_COMMANDS = "|".join([*FUNCTIONS, "sqrt", "pi", "infty", *_GREEK.split()])
_CHARACTERS = {
    "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "÷": r"\div ", "π": r"\pi ",
    "∞": r"\infty ",
    "°": r"^\circ ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∈": r"\in ", "∪": r"\cup ",
    "±": r"\pm ", "√": r"\sqrt ", "²": "^2 ", "³": "^3 ", "…": r"\ldots ", "½": r"\frac12 ",
    "∅": r"\emptyset ", "θ": r"\theta ", "“": "", "”": "", "，": ",", "（": "(", "）": ")",
    "⟨": r"\langle ", "⟩": r"\rangle ", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
}  # fmt: skip
_CHARACTER = re.compile("|".join(map(re.escape, _CHARACTERS)))

Rule = tuple[str, str | Callable[["re.Match[str]"], str]]
_TEXT = (
    r"\\(?:mbox|text(?:bf|it|rm|normal|sf|tt)|math(?:rm|bf|it|sf)|operatorname|rm|bf|it)\*?\s*\{"
)
_RULES: tuple[Rule, ...] = (
    (r"\\\\(?=(?:d|t|c)?frac|sqrt|pi|text|cdot|left|right)", r"\\"),  # escaped twice
    (r"(?<!\\)\$", ""),
    (r"\\(?:text)?color(?:box)?\s*(?:\[[^\[\]{}]{0,20}\])?\s*\{[^{}]{0,40}\}", ""),
    (_TEXT, r"\\text{"),
    (r"\\(?:displaystyle|textstyle|limits|nolimits|boldsymbol|bm|bold|unicode)(?![A-Za-z])", ""),
    (r"\\(?:left|right|[bB]igg?[lrm]?)\s*\.", ""),
    (r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])", ""),
    (r"(?<=\d)(?:\{,\}|,\\[!,;: ]\s*|\\[,;: !]\s*|\\ |~)(?=\d{3}(?!\d))", ""),  # 10,\!000
    (r"\{,\}", ","),
    (r"\\[!/]", ""),
    (r"\\\\(?:\[[0-9.a-z]{1,8}\])?", r"\\cr "),  # the end of a row
    (r"\\(?:[,:;>\s]|quad|qquad|thinspace|hspace\{[^{}]{0,20}\})|~", " "),
    (r"\\[dtc]frac(?![A-Za-z])", r"\\frac "),
    (r"\\(?:leq|leqslant|leqq)(?![A-Za-z])|<=", r"\\le "),
    (r"\\(?:geq|geqslant|geqq)(?![A-Za-z])|>=", r"\\ge "),
    (r"\\neq(?![A-Za-z])|!=", r"\\ne "),
    (r"\\lt(?![A-Za-z])", "<"),
    (r"\\gt(?![A-Za-z])", ">"),
    (r"\\(?:dots[cbmio]?|cdots|hdots)(?![A-Za-z])|\.{3,}", r"\\ldots "),
    (r"\\(?:lbrace)(?![A-Za-z])", r"\\{"),
    (r"\\(?:rbrace)(?![A-Za-z])", r"\\}"),
    (r"\\(?:lbrack)(?![A-Za-z])", "["),
    (r"\\(?:rbrack)(?![A-Za-z])", "]"),
    (r"\\(?:[lr]?vert|mid)(?![A-Za-z])|\\\|", "|"),
    (r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|\\degree(?![A-Za-z])", r"\\deg "),
    (r"\\varnothing(?![A-Za-z])|\\\{\s*\\\}", r"\\emptyset "),
    (r"\\var(epsilon|theta|phi|rho)(?![A-Za-z])", r"\\\1"),
    (r"\\(?:bigcup)(?![A-Za-z])", r"\\cup "),
    (r"\\(?:tg|ctg)(?![A-Za-z])", lambda m: r"\tan " if m[0] == r"\tg" else r"\cot "),
    (r"(?<=\d)[eE]([+-]?\d{1,3})(?![\d_.A-F])", r"\\cdot 10^{\1}"),
    (r"(?<![\d.,])\d{1,3}(?: \d{3})+(?![\d.,])", lambda found: found[0].replace(" ", "")),
    (r"^\s*\*\*([^*]+)\*\*\s*$", r"\1"),  # bold in Markdown
    (r"\*\*", "^"),
    (r"(?<=[\dA-Za-z)}])\s*\+\s+-(?=\s*[\dA-Za-z\\.(])", "-"),
    (rf"(?<![\\A-Za-z])(?={_COMMANDS})((?:{_COMMANDS}))(?=\s*[\d({{^\\+*/)-]|\s*$)", r"\\\1 "),
    (r"(?<![\\A-Za-z])(?:infinity|inf|oo)(?![A-Za-z])", r"\\infty "),
    (r"(?<![A-Za-z\\])[uU](?=\s*[\[(].*[\])]\s*$)", r"\\cup "),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern), new) for pattern, new in _RULES)
_TRAILING = re.compile(r"(?:(?<=[^.\\])[.]|[;:!?](?<!\\[;:!])|(?<!\\)\\|\\cr)\s*\Z")
_LOOSE = re.compile(r"(?<![A-Za-z0-9.])\s+|\s+(?![A-Za-z0-9.])")
_WRAPPED = re.compile(r"\\text\s*\{([^{}]*)\}")


def spelled(latex: str) -> str:
    """Return a text in one spelling: one kind of fraction, text, dots, comparison and blank.

    Takes time linear in the text, which is at most some thousand characters long.
    """
    text = _CHARACTER.sub(lambda found: _CHARACTERS[found[0]], latex)
    for pattern, new in _COMPILED:
        text = pattern.sub(new, text)
    text = " ".join(text.split())
    return _TRAILING.sub("", text).strip() if not text.endswith("!") else text


def letters(text: str) -> str:
    r"""Return a spelled text without ``\text``, and without blanks that separate nothing."""
    return _LOOSE.sub("", " ".join(_WRAPPED.sub(r" \1 ", text).split()))
