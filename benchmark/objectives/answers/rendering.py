r"""Write a tree as LaTeX that math-verify reads one way: every product and argument is marked."""

from benchmark.objectives.answers.terms import Node

_CONSTANTS = {"pi": r"\pi", "e": "e", "i": "i", "infinity": r"\infty"}


def latex(node: Node) -> str:
    """Return the expression as LaTeX."""
    if node.kind == "number":
        over, under = node.value.numerator, node.value.denominator
        text = str(abs(over)) if under == 1 else rf"\frac{{{abs(over)}}}{{{under}}}"
        return text if over >= 0 else f"(-{text})"
    if node.kind == "symbol":
        name, underscore, below = node.name.partition("_")
        return f"{name}_{{{below}}}" if underscore else name
    if node.kind == "constant":
        return _CONSTANTS[node.name]
    if node.kind == "add":
        return "+".join(map(latex, node.parts))
    if node.kind == "multiply":
        return r" \cdot ".join(
            f"({latex(part)})" if part.kind == "add" else latex(part) for part in node.parts
        )
    return _operation(node, [latex(part) for part in node.parts])


def _operation(node: Node, parts: list[str]) -> str:
    first, *others = parts
    if node.kind == "divide":
        return rf"\frac{{{first}}}{{{others[0]}}}"
    if node.kind == "power":
        return f"{_primary(node.parts[0])}^{{{others[0]}}}"
    if node.kind == "root":
        return rf"\sqrt[{first}]{{{others[0]}}}" if first != "2" else rf"\sqrt{{{others[0]}}}"
    if node.kind == "factorial":
        return f"{_primary(node.parts[0])}!"
    if node.kind == "binomial":
        return rf"\binom{{{first}}}{{{others[0]}}}"
    if node.name == "abs":
        return f"|{first}|"
    if node.name in ("floor", "ceil"):
        return rf"\l{node.name} {first} \r{node.name}"
    below = f"_{{{others[0]}}}" if others else ""
    return rf"\{node.name}{below}({first})"


def _primary(node: Node) -> str:
    """Return an expression that a power may follow, in brackets if it needs them."""
    plain = node.kind in ("symbol", "constant")
    if node.kind == "number":
        plain = node.value.denominator == 1 and node.value >= 0
    return latex(node) if plain else f"({latex(node)})"
