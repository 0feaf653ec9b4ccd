r"""What stands around a number: units, money, percent, degrees, and words like million."""

import re

_SYNONYMS = {
    "mm": "millimeter millimetre", "cm": "centimeter centimetre", "m": "meter metre",
    "km": "kilometer kilometre", "in": "inch inche", "ft": "foot feet", "yd": "yard",
    "mi": "mile", "mg": "milligram", "g": "gram", "kg": "kilogram kilo", "lb": "lbs pound",
    "oz": "ounce", "s": "sec second", "min": "minute", "h": "hr hour", "day": "day", "week": "week",
    "month": "month", "year": "yr year", "ml": "milliliter millilitre", "l": "liter litre",
    "gal": "gallon", "mph": "mph", "dollar": "usd buck", "cent": "cent", "euro": "eur",
    "pound sterling": "gbp", "deg": "degree", "unit": "unit", "percent": "percent pct percentage",
    "rad": "radian", "c": "celsius", "f": "fahrenheit", "k": "kelvin", "v": "volt", "w": "watt",
    "j": "joule", "n": "newton", "hz": "hertz", "acre": "acre", "rupee": "rs inr", "yen": "jpy",
}  # fmt: skip
_CANONICAL = {word: unit for unit, words in _SYNONYMS.items() for word in (unit, *words.split())}
_RATIOS = {"mi/h": "mph", "km/h": "kmh", "kph": "kmh"}
_SCALES = {
    "dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9,
    "trillion": 10**12,
}  # fmt: skip
_MONEY = re.compile(r"(?P<sign>[-+]?)\s*(?P<money>US\\?\$|\\\$|\\pounds|€|£|¥|USD(?![A-Za-z]))\s*")
_SIGNS = {"€": "euro", "£": "pound sterling", r"\pounds": "pound sterling", "¥": "yen"}
_PERCENT = re.compile(r"\s*(?:\\%|%|(?:\\text\s*\{)?\s*(?:per ?cent|pct|percentage)\s*\}?)\s*\Z")
_DEGREES = re.compile(r"\s*\\deg\s*\Z")
_POWER = r"(?:\s*\^\s*\{?\s*(?P<power>[23])\s*\}?)?"
_MARKED = re.compile(rf"\s*\\text\s*\{{(?P<words>[^{{}}]*)\}}{_POWER}\s*\Z")
_BARE = re.compile(
    rf"(?<![A-Za-z\\])(?P<words>[A-Za-z][A-Za-z]+\.?(?:[ /][A-Za-z]+\.?)*){_POWER}\s*\Z"
)
_WORDS = re.compile(r"[A-Za-z]+\.?(?:(?: |/|\\cdot ?)[A-Za-z]+\.?){0,3}\s*(?:\^\s*\{?[23]\}?)?|²")
_REFUSED = frozenset({"not", "no", "or", "and", "is", "are", "nor", "than", "but", "about"})


def apart(text: str) -> tuple[str, str, int]:
    """Return a quantity's number, its unit in one spelling (or ""), and what to multiply by.

    The unit is ``percent``, ``deg``, ``dollar``, ``cm^2`` …; words in ``\\text{…}`` are a unit
    whatever they say, other words only if they are known units of two letters or more.
    """
    money = _MONEY.match(text)
    if money is not None:
        text = money["sign"] + text[money.end() :]
    text, scale = _scaled(text)
    unit = "" if money is None else _SIGNS.get(money["money"], "dollar")
    for pattern, name in ((_PERCENT, "percent"), (_DEGREES, "deg")):
        tail = pattern.search(text)
        if tail is not None and tail.start():
            return text[: tail.start()], name if not unit else "malformed", scale
    number, found = _named(text)
    if found and unit and found != unit:
        return number, "malformed", scale
    number, more = _scaled(number) if found else (number, 1)
    return number, found or unit, scale * more


def _scaled(text: str) -> tuple[str, int]:
    """Take a last word like million off a text."""
    for pattern in (_MARKED, _BARE):
        tail = pattern.search(text)
        if tail is not None and tail.start() and not tail["power"]:
            first, _, others = tail["words"].strip().partition(" ")
            if first.lower() in _SCALES:
                rest = rf" \text{{{others}}}" if others else ""
                return text[: tail.start()].strip() + rest, _SCALES[first.lower()]
    return text, 1


def _named(text: str) -> tuple[str, str]:
    tail = _MARKED.search(text)
    if tail is not None and tail.start():
        words = tail["words"].strip()
        named = _WORDS.fullmatch(words) and not _REFUSED & set(words.lower().split())
        return (text[: tail.start()], _one(words, tail["power"])) if named else (text, "")
    tail = _BARE.search(text)
    if tail is not None and tail.start():
        words = re.split("[ /]", tail["words"])
        known = [_singular(word) in _CANONICAL or word in ("per", "square", "sq") for word in words]
        if len(words) <= 4 and all(known) and _singular(words[0]) != "in":
            return text[: tail.start()], _one(tail["words"], tail["power"])
    return text, ""


def _one(words: str, power: str | None) -> str:
    """Return one spelling of a unit."""
    inner = re.search(r"\^\s*\{?([23])\}?\s*\Z", words)
    if inner is not None:
        words, power = words[: inner.start()], inner[1]
    parts = [_singular(word) for word in re.split(r"[ /]|\\cdot", words) if word]
    for adjectives, exponent in ((("square", "sq"), "2"), (("cubic", "cu"), "3")):
        if len(parts) == 2 and parts[0] in adjectives:
            parts, power = parts[1:], exponent
        elif len(parts) == 2 and parts[1] in (f"{adjectives[0]}d", "cubed"):
            parts, power = parts[:1], exponent
    named = "/".join(_CANONICAL.get(part, part) for part in parts if part != "per")
    named = _RATIOS.get(named, named)
    return f"{named}^{power}" if power else named


def _singular(word: str) -> str:
    word = word.strip(". ").lower()
    return word[:-1] if word.endswith("s") and len(word) > 2 and not word.endswith("ss") else word
