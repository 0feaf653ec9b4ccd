r"""Read an answer into its structure: numbers, tuples, sets, intervals, bases, matrices, units."""

import re
from functools import lru_cache

from benchmark.objectives.answers import structure
from benchmark.objectives.answers.formulas import read
from benchmark.objectives.answers.kinds import Answer, UnreadableError, based, repeating
from benchmark.objectives.answers.numerics import agree, symbols
from benchmark.objectives.answers.spelling import letters
from benchmark.objectives.answers.terms import Node, add, multiply, negative, number
from benchmark.objectives.answers.units import apart

MAX_PARTS = 40  # of a list, tuple or matrix
INFINITY = Node("constant", name="infinity")
_RELATIONS = ("=", "<", ">", "\\le", "\\ge", "\\ne", "\\in", "\\approx", "\\equiv", "\\to")
_FLIPPED = {">": "<", "\\ge": "\\le"}
_MATRIX = re.compile(
    r"\\begin\s*\{([bpvBV]?matrix|array)\}(?:\{[lcr|]*\})?(.*)\\end\s*\{\1\}", re.DOTALL
)
_NAME = re.compile(  # x, x_1, f(x), (x, y)
    r"(?:[A-Za-z]|\\[a-z]+)(?:_\{?[A-Za-z0-9]+\}?)?'*(?:\s*\(\s*[a-z](?:\s*,\s*[a-z])*\s*\))?"
    r"|\(\s*[a-z](?:\s*,\s*[a-z])+\s*\)"
)
_WORDS = re.compile(r"[A-Za-z][A-Za-z'.]*(?: [A-Za-z][A-Za-z'.]*|-[A-Za-z]{2,})*")
_SHORT = frozenset(
    {"yes", "no", "odd", "all", "one", "two", "six", "ten", "max", "min", "not", "up"}
)


@lru_cache(maxsize=2**14)
def readings(text: str) -> tuple[Answer, ...]:
    """Return what a spelled answer may mean; 58,500 may be a number or a list. Empty if nothing."""
    found: list[Answer] = []
    for version in dict.fromkeys((structure.without_thousands(text), text, letters(text))):
        if version == letters(text) and found:
            break
        try:
            if structure.balanced(version):
                found.append(answer(version))
        except UnreadableError:
            continue
    return tuple(dict.fromkeys(found))


def answer(text: str) -> Answer:
    """Return the structure of a spelled text; raise UnreadableError where it has none."""
    text = _unwrapped(text)
    if not text:
        raise UnreadableError("empty")
    unions = structure.split(text, ("\\cup",))
    if len(unions) > 1:
        return Answer("union", _parts(unions))
    found = repeating(text) or based(text)
    if found is not None:
        return found
    items = structure.listed(text)
    if len(items) > 1:
        return _collection(items)
    relation = _related(text)
    if relation is not None:
        return relation
    return _enclosed(text) or _matrix(text) or _single(text)


def _unwrapped(text: str) -> str:
    r"""Take away ``\text{…}`` and braces around all of a text."""
    text = text.strip()
    whole = re.fullmatch(r"\\text\s*\{([^{}]*)\}", text)
    if whole is not None:
        return whole[1].strip()
    around = structure.enclosed(text)
    return _unwrapped(around[1]) if around is not None and around[0] == "{" else text


def _parts(texts: list[str]) -> tuple[Answer, ...]:
    if len(texts) > MAX_PARTS:
        raise UnreadableError("too many parts")
    return tuple(answer(text) for text in texts)


def _collection(items: list[str]) -> Answer:
    if "\\ldots" in items:
        return Answer("sequence", tuple(_dots_or(item) for item in items[:MAX_PARTS]))
    return Answer("list", _expanded(items))


def _dots_or(item: str) -> Answer:
    return Answer("words", label="…") if item == "\\ldots" else answer(item)


def _expanded(items: list[str]) -> tuple[Answer, ...]:
    r"""Return the answers of items, two for each with ``\pm``."""
    texts = []
    for item in items:
        if re.search(r"\\(?:pm|mp)(?![a-z])", item):
            for plus, minus in ("+-", "-+"):
                signed = re.sub(r"\\pm(?![a-z])", plus, item)
                texts.append(re.sub(r"\\mp(?![a-z])", minus, signed))
        else:
            texts.append(item)
    return _parts(texts)


def _enclosed(text: str) -> Answer | None:
    around = structure.enclosed(text)
    if around is None:
        return None
    opening, inside, closing = around
    items = structure.listed(inside)
    if opening == "\\{" and closing == "\\}":
        return _single_or_list(items)
    if opening == "\\langle" and closing == "\\rangle":
        opening, closing = "(", ")"
    if len(items) > 1 and opening in "([" and closing in ")]":
        if "\\ldots" in items:
            return Answer("tuple", (_collection(items),), opening + closing)
        return Answer("tuple", _parts(items), opening + closing)
    return None


def _single_or_list(items: list[str]) -> Answer:
    """Return what braces hold; around one value they are left out."""
    if any("|" in item or ":" in item for item in items):
        raise UnreadableError("a set by a condition")
    if len(items) > 1 and "\\ldots" in items:
        return _collection(items)
    parts = _expanded(items)
    return parts[0] if len(parts) == 1 else Answer("list", parts)


def _matrix(text: str) -> Answer | None:
    found = _MATRIX.fullmatch(text)
    if found is None:
        return None
    rows = [structure.split(row, ("&",)) for row in found[2].split("\\cr") if row.strip()]
    if not rows or len({len(row) for row in rows}) != 1:
        raise UnreadableError("rows of different lengths")
    if len(rows) * len(rows[0]) > MAX_PARTS:
        raise UnreadableError("too many entries")
    label = "determinant" if found[1][0] == "v" else ""
    return Answer("matrix", tuple(Answer("row", _parts(row)) for row in rows), label)


def _related(text: str) -> Answer | None:
    tokens = [
        token for token, _, depth in structure.pieces(text) if not depth and token in _RELATIONS
    ]
    if not tokens:
        return None
    sides = structure.split(text, _RELATIONS)
    if len(sides) > 5 or not all(sides):
        raise UnreadableError("a relation without a side")
    if tokens == ["\\in"] and _NAME.fullmatch(sides[0]):
        return answer(sides[1])._replace(name=letters(sides[0]))
    if set(tokens) == {"="}:
        return _equal(sides)
    return _ordered(tokens, [_node(side) for side in sides])


def _equal(sides: list[str]) -> Answer:
    """Return an equation; ``x = 5`` is the value 5, ``3 + 4 = 7`` is 7, but ``8 = 7`` nothing."""
    if _NAME.fullmatch(sides[0]):
        rest = _equal(sides[1:]) if len(sides) > 2 else answer(sides[1])
        left = read(sides[0])
        equation = None
        if left is not None and rest.kind == "value" and rest.node is not None:
            equation = add(left, negative(rest.node))
        return rest._replace(name=letters(sides[0]), parts=_equation(equation) or rest.parts)
    nodes = [_node(side) for side in sides]
    if not any(symbols(node) for node in nodes):
        if not all(agree(nodes[0], node) for node in nodes[1:]):
            raise UnreadableError("an equation that does not hold")
        return answer(sides[-1])
    if len(nodes) != 2:
        raise UnreadableError("several equations")
    return Answer("equation", node=add(nodes[0], negative(nodes[1])))


def _equation(node: Node | None) -> tuple[Answer, ...]:
    return () if node is None else (Answer("equation", node=node),)


def _ordered(tokens: list[str], nodes: list[Node]) -> Answer:
    """Return an inequality; of one symbol between numbers, the interval that it says."""
    if set(tokens) <= {">", "\\ge"}:
        nodes, tokens = nodes[::-1], [_FLIPPED[token] for token in tokens[::-1]]
    if not set(tokens) <= {"<", "\\le"}:
        if tokens != ["\\ne"]:
            raise UnreadableError("comparisons of different directions")
        return Answer("order", node=add(nodes[0], negative(nodes[1])), label="\\ne")
    free = [place for place, node in enumerate(nodes) if symbols(node)]
    if len(free) == 1 and nodes[free[0]].kind == "symbol" and len(nodes) <= 3:
        place = free[0]
        if len(nodes) == 3 and place != 1:
            raise UnreadableError("a symbol that is not between numbers")
        low = nodes[place - 1] if place else negative(INFINITY)
        high = nodes[place + 1] if place + 1 < len(nodes) else INFINITY
        opening = "[" if place and tokens[place - 1] == "\\le" else "("
        closing = "]" if place + 1 < len(nodes) and tokens[place] == "\\le" else ")"
        ends = Answer("value", node=low), Answer("value", node=high)
        return Answer("tuple", ends, opening + closing, name=nodes[place].name)
    if len(nodes) != 2:
        raise UnreadableError("a chain of comparisons")
    return Answer("order", node=add(nodes[0], negative(nodes[1])), label=tokens[0])


def _node(text: str) -> Node:
    node = read(text)
    if node is None:
        raise UnreadableError(text[:20])
    return node


def _single(text: str) -> Answer:
    """Return a value, two values of a plus-minus sign, or words."""
    if re.search(r"\\(?:pm|mp)(?![a-z])", text):
        return Answer("list", _expanded([text]))
    if text == "\\emptyset":
        return Answer("words", label="∅")
    long = re.search("[A-Za-z]{4}", text) or (" " in text and re.search("[A-Za-z]{3}", text))
    if _WORDS.fullmatch(text) and (long or text.lower() in _SHORT):
        return Answer("words", label=" ".join(text.lower().split()))
    quantity, unit, scale = apart(text)
    node = read(quantity)
    if text.endswith("\\deg") and (angled := read(text)) is not None:  # the angle of a function
        node, unit = angled, ""
    if node is None or unit == "malformed":
        if _WORDS.fullmatch(letters(text)):
            return Answer("words", label=letters(text).lower())
        raise UnreadableError(text[:20])
    scaled = node if scale == 1 else multiply(node, number(scale))
    return Answer("value", node=scaled, unit=unit, decimal="." in quantity)
