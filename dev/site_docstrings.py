"""Read docstrings for the site: their roles, such as ``:class:`~a.b.C```, become Markdown."""

import re
from typing import Any

import griffe

_MATH_BLOCK = re.compile(r"^( *)\.\. math::\n((?:\1 +.*\n|\s*\n)+)", re.M)
_MATH = re.compile(r":math:`([^`]*)`")
_ROLE = re.compile(r":[a-z]+:`~?([^`]+)`")
_LINK = re.compile(r"`([^`<]+?)\s+<([^>`]+)>`_+")
_CODE = re.compile(r"``([^`]+)``")


def as_markdown(text: str) -> str:
    """Return a docstring's text with its roles and formulas in Markdown."""
    text = _MATH_BLOCK.sub(_block, text + "\n")
    text = _LINK.sub(r"[\1](\2)", text)
    text = _MATH.sub(r"$\1$", text)
    text = _ROLE.sub(lambda found: f"`{found.group(1).rpartition('.')[2]}`", text)
    return _CODE.sub(r"`\1`", text).rstrip()


def _block(found: re.Match[str]) -> str:
    indent = found.group(1)
    formula = " ".join(found.group(2).split())
    return f"{indent}$${formula}$$\n\n"


class Roles(griffe.Extension):
    """Rewrites every docstring as it is read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
