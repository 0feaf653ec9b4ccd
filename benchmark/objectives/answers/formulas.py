r"""Read a LaTeX expression into a tree, strictly: what is malformed or too large is refused.

Nothing is handed to ``eval`` or to SymPy's ``sympify``.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from benchmark.objectives.answers.spelling import FUNCTIONS
from benchmark.objectives.answers.terms import (
    TWO,
    MalformedError,
    Node,
    add,
    binomial,
    divide,
    factorial,
    multiply,
    negative,
    number,
    power,
    root,
)

TOKENS = 250  # of an expression; the longest of MATH-500 has 38
DEPTH = 40

_TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|\d+\.|\\[A-Za-z]+|\\[{}%$|]|[A-Za-z]|[-+*/^_!(){}\[\]|']")
_CONSTANTS = {"\\pi": "pi", "e": "e", "i": "i", "\\infty": "infinity"}
_SYMBOL = re.compile(
    r"[A-Za-z]|\\(?:alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|rho|sigma|tau"
    r"|phi|psi|omega|ell|Gamma|Delta|Theta|Lambda|Sigma|Phi|Omega)"
)
_TIMES = {"*", "\\cdot", "\\times"}
_OVER = {"/", "\\div"}
_FUNCTION = {rf"\{name}" for name in FUNCTIONS}
_BRACKETS = {"(": ")", "[": "]", "\\lfloor": "\\rfloor", "\\lceil": "\\rceil"}


@lru_cache(maxsize=2**14)
def read(text: str) -> Node | None:
    """Return the tree of a spelled expression, or None where it is malformed or too large."""
    try:
        return _Reader(text).whole()
    except (MalformedError, ZeroDivisionError):
        return None


class _Reader:
    """A recursive descent through the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        while at < len(text):
            if text[at].isspace():
                at += 1
                continue
            token = _TOKEN.match(text, at)
            if token is None or len(self.tokens) == TOKENS:
                raise MalformedError(text[:20])
            self.tokens.append(token[0])
            at = token.end()
        self.at = 0
        self.depth = 0
        self.bars = 0  # open absolute values: a bar then closes
        self.angles = 0  # inside the argument of a function: degrees are angles there

    def whole(self) -> Node:
        node = self.sum()
        if self.peek():
            raise MalformedError(self.peek())
        return node

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise MalformedError(token)
        self.at += 1
        return token

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > DEPTH:
            raise MalformedError("too deep")
        node = self.signed(self.product)
        while self.peek() in ("+", "-"):
            sign = self.take()
            term = self.product()
            node = add(node, term if sign == "+" else negative(term))
        self.depth -= 1
        return node

    def signed(self, term: Callable[[], Node]) -> Node:
        if self.peek() in ("+", "-"):
            return negative(term()) if self.take() == "-" else term()
        return term()

    def product(self) -> Node:
        node = self.factor()
        while True:
            if self.peek() in _TIMES:
                self.take()
                node = multiply(node, self.signed(self.factor))
            elif self.peek() in _OVER:
                self.take()
                node = divide(node, self.signed(self.factor))
            elif self.starts_factor():
                node = multiply(node, self.factor())
            else:
                return node

    def starts_factor(self) -> bool:
        """Return whether a factor follows without a sign; a number does not (``7 8``)."""
        token = self.peek()
        if token == "|":
            return not self.bars
        return bool(token) and (
            token in ("(", "[", "{", "\\frac", "\\sqrt", "\\binom", "\\lfloor", "\\lceil")
            or token in _FUNCTION
            or token in _CONSTANTS
            or _SYMBOL.fullmatch(token) is not None
        )

    def factor(self) -> Node:
        node = self.raised(self.base())
        if self.angles and self.peek() == "\\deg":
            self.take()
            node = divide(multiply(node, Node("constant", name="pi")), number(180))
        return node

    def raised(self, node: Node) -> Node:
        if self.peek() == "!":
            self.take()
            node = factorial(node)
        if self.peek() == "^":
            self.take()
            node = power(node, self.script())
            if self.peek() == "^":
                raise MalformedError("double superscript")
        if self.peek() == "!":
            self.take()
            node = factorial(node)
        return node

    def script(self) -> Node:
        if self.peek() == "-":
            self.take()
            return negative(self.script())
        if self.peek() in ("{", "("):
            return self.bracketed()
        return self.atom()

    def argument(self) -> Node:
        r"""Return an argument of a command: braces, one digit (``\frac12``), or one token."""
        token = self.peek()
        if token == "{":
            return self.bracketed()
        if token[:1].isdigit() and len(token) > 1:
            self.tokens[self.at : self.at + 1] = [token[0], token[1:]]
        return self.atom()

    def bracketed(self) -> Node:
        opening = self.take()
        closing = {"(": ")", "[": "]", "{": "}"}.get(opening)
        if closing is None:
            raise MalformedError(opening)
        bars, self.bars = self.bars, 0
        node = self.sum()
        self.take(closing)
        self.bars = bars
        return node

    def base(self) -> Node:
        token = self.peek()
        if token in ("(", "[", "{"):
            return self.bracketed()
        if token in ("\\lfloor", "\\lceil"):
            self.take()
            node = self.sum()
            self.take(_BRACKETS[token])
            return Node("call", (node,), "floor" if token == "\\lfloor" else "ceil")
        if token == "|":
            return self.absolute()
        if token in _FUNCTION:
            return self.function()
        return self.atom(mixed=True)

    def absolute(self) -> Node:
        self.take()
        self.bars += 1
        node = self.sum()
        self.take("|")
        self.bars -= 1
        return Node("call", (node,), "abs")

    def atom(self, mixed: bool = False) -> Node:
        """Return a number (perhaps a mixed one), a symbol, a fraction or a root."""
        token = self.take()
        if token[0].isdigit() or token[0] == ".":
            value = number(Fraction(token))
            return self.mixed(value, token.isdigit()) if mixed else value
        if token in _CONSTANTS:
            return Node("constant", name=_CONSTANTS[token])
        if token == "\\frac":
            return divide(self.argument(), self.argument())
        if token == "\\binom":
            return binomial(self.argument(), self.argument())
        if token == "\\sqrt":
            index = self.bracketed() if self.peek() == "[" else TWO
            return root(index, self.bracketed() if self.peek() == "(" else self.argument())
        if _SYMBOL.fullmatch(token):
            return Node("symbol", name=token + self.subscript())
        raise MalformedError(token)

    def mixed(self, whole: Node, is_whole: bool) -> Node:
        r"""Return ``1\frac{4}{5}`` and ``1 4/5`` as sums; another number may not follow one."""
        if is_whole and self.peek() == "\\frac":
            start = self.at
            part = self.atom()
            plain = "".join(self.tokens[start + 1 : self.at]).strip("{}").replace("}{", "")
            if plain.isdigit() and part.kind == "number" and 0 < part.value < 1:
                return add(whole, part)
            if plain.isdigit():  # not 1 and 5/4 to be added, and no sign of a product
                raise MalformedError("a mixed number")
            self.at = start
        following = [self.peek(ahead) for ahead in range(3)]
        if is_whole and following[1] == "/" and following[0].isdigit() and following[2].isdigit():
            self.at += 3
            return add(whole, divide(number(int(following[0])), number(int(following[2]))))
        if self.peek()[:1].isdigit():
            raise MalformedError("two numbers side by side")
        return whole

    def subscript(self) -> str:
        found = ""
        if self.peek() == "_":
            self.take()
            braced = self.peek() == "{"
            found = "_" + "".join(self.group() if braced else [self.take()])
        while self.peek() == "'":
            found += self.take()
        return found

    def group(self) -> list[str]:
        self.take("{")
        found = []
        while self.peek() != "}":
            found.append(self.take())
            if not found[-1].isalnum():
                raise MalformedError("a subscript")
        self.take("}")
        return found

    def function(self) -> Node:
        name = self.take()[1:]
        base = exponent = None
        if name == "log" and self.peek() == "_":
            self.take()
            base = self.argument()
        if self.peek() == "^":
            self.take()
            exponent = self.script()
        self.angles += 1
        node = self.operand()
        self.angles -= 1
        if exponent == number(-1) and f"\\arc{name}" in _FUNCTION:
            return Node("call", (node,), f"arc{name}")
        if name == "exp":
            call = power(Node("constant", name="e"), node)
        else:
            call = Node("call", (node,) if base is None else (node, base), name)
        return call if exponent is None else power(call, exponent)

    def operand(self) -> Node:
        """Return a function's argument: brackets, or factors up to a sign or another function."""
        if self.peek() in ("(", "{", "["):
            return self.bracketed()
        node = self.signed(self.factor)
        while self.starts_factor() and self.peek() not in (*_FUNCTION, "(", "["):
            node = multiply(node, self.factor())
        return node
