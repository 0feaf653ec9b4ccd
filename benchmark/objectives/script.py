"""``script``: the share of letters that belong to one writing system."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from benchmark.common.parameters import choice
from benchmark.objectives.base import Completion, Objective, completion_text

# As Unicode's names of letters begin.
SCRIPTS = (
    *("latin", "cyrillic", "greek", "arabic", "hebrew", "devanagari", "bengali", "tamil", "thai"),
    *("cjk", "hiragana", "katakana", "hangul"),
)


class Script(Objective):
    r"""The share of a completion's letters that are of one script; 1 where it has no letters.

    .. math:: r(y) = \frac{|\{i : s(y_i) \in S\}|}{|\{i : y_i \text{ is a letter}\}|}

    where:

    - :math:`y_i` is character i of the text and :math:`s(y_i)` its script;
    - :math:`S` are the wanted scripts (``scripts``).

    It stands for the language consistency of `DeepSeek-R1
    <https://arxiv.org/abs/2501.12948>`_, the share of words in the target language, where the
    languages that get mixed are written differently, such as English and Chinese. It cannot tell
    languages of one script apart, and needs no model to guess them. By Unicode's names of letters,
    their first word; a text of digits and signs alone mixes nothing.

    Args:
        scripts: :math:`S`: one script or several.
    """

    name = "script"

    def __init__(self, scripts: str | Sequence[str] = "latin") -> None:
        given = (scripts,) if isinstance(scripts, str) else tuple(scripts)
        self.scripts = frozenset(choice("scripts", each, SCRIPTS) for each in given)

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        return [self._share(completion_text(each)) for each in completions]

    def _share(self, text: str) -> float:
        letters = [_script(character) for character in text if character.isalpha()]
        return sum(each in self.scripts for each in letters) / len(letters) if letters else 1.0


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "unnamed").split()[0].lower()
