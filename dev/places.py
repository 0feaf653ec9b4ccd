"""Fill the places of documents: between ``<!-- KIND: NAME -->`` and ``<!-- end of KIND -->``."""

import re
from collections.abc import Callable


def filled(text: str, kind: str, make: Callable[[str], str | None]) -> str:
    """Return a document with its places of a kind made anew.

    ``make`` returns what stands in the place of a name, with its last line's end; None leaves it.
    """

    def own(place: re.Match[str]) -> str:
        made = make(place["name"])
        return place[0] if made is None else f"{place['start']}{made}{place['end']}"

    start, end = (
        rf"(?P<start><!-- {kind}: (?P<name>.+?) -->\n)",
        rf"(?P<end><!-- end of {kind} -->)",
    )
    return re.sub(f"{start}.*?{end}", own, text, flags=re.DOTALL)


def names(text: str, kind: str) -> list[str]:
    """Return the names of a document's places of a kind, in order."""
    return re.findall(rf"^<!-- {kind}: (.+?) -->$", text, re.MULTILINE)
