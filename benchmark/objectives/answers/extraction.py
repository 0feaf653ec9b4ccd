r"""Which part of a completion is its answer: its turn's last box, outside of thinking."""

import re
from collections.abc import Iterator

from benchmark.objectives.boxed import boxes

_TURN_ENDS = (
    r"<\|(?:im_end|im_start|eot_id|end|endoftext|end_of_text|start_header_id|eom_id|user|assistant)\|>"
    r"|<(?:end_of_turn|start_of_turn|eos)>|</s>|\[INST\]"
)
# A role alone in its line, or before a colon, begins a turn that the policy invented.
_TURN_LINES = r"(?im:^[ \t]*(?:\#{1,3}[ \t]*)?(?:user|human|assistant)(?:[ \t]*:|[ \t]*$))"
_THOUGHT = "(?:think|thinking|thought)"
_MARK = re.compile(
    rf"(?P<token>{_TURN_ENDS})|(?P<line>{_TURN_LINES})|(?P<open><{_THOUGHT}>)|(?P<close></{_THOUGHT}>)"
)
# What may stand between two boxes that are one answer together: "3 or 5", "3, 5".
_BETWEEN = re.compile(r"(?:[\s,;$&]|\\(?:quad|qquad|text|mbox|textrm|[,; ])|[{}]|\b(?:and|or)\b)*")
_FAR = 40  # characters between such boxes, at most
_EMPTY = re.compile(r"(?:[\s.…$~?_]|\\(?:[ld]?dots|cdots|quad|[,;:! ]))*")
_UNFINISHED = re.compile(r"\\(?:bo|box|boxe|boxed|fb|fbo|fbox)\s*\Z")


def answer_turn(text: str) -> str:
    """Return what a completion says in its own turn, without its thoughts.

    * What stands in ``<think>…</think>`` does not count, nor what follows a ``<think>`` that is not
      closed, nor what precedes a ``</think>`` that was opened in the prompt.
    * The turn ends at the first end-of-turn token, or line with a role of a next turn, that follows
      an answering text.
    """
    kept: list[str] = []
    at, thinking, said = 0, False, False
    for mark in _MARK.finditer(text):
        if not thinking:
            kept.append(text[at : mark.start()])
            said = said or bool(kept[-1].strip())
        at = mark.end()
        if mark["token"] or (mark["line"] and not thinking):
            if said:
                return "".join(kept)
        elif mark["open"]:
            thinking = True
        elif mark["close"]:
            kept, said = (kept, said) if thinking else ([], False)
            thinking = False
    return "".join(kept if thinking else [*kept, text[at:]])


def boxed_answer(text: str) -> str | None:
    r"""Return the content of the box that is a completion's answer, or None without one.

    Of its turn (:func:`answer_turn`) the last box counts; ``\fbox{…}`` and ``\boxed 7`` are boxes.

    * Of nested boxes the inner one counts: ``\boxed{\boxed{7}}`` holds ``7``.
    * Boxes that hold nothing, or dots, are echoes of the instruction and are passed over.
    * A box that is begun and not closed, behind the last whole one, leaves no answer: whoever is
      cut in the middle of a change of mind does not gain by it.
    * Boxes with nothing but blanks, commas, "and" or "or" between them are one answer, a list.
    """
    turn = answer_turn(text)
    found = sorted(_innermost(turn))
    if _UNFINISHED.search(turn) or (found and found[-1][1] is None):
        return None
    filled = [
        (start, end, closing)
        for start, end, closing in found
        if end is not None and not _EMPTY.fullmatch(turn, start, end)
    ]
    if not filled:
        return None
    begin, *others = filled[::-1]
    contents = [turn[begin[0] : begin[1]].strip()]
    for start, end, closing in others:
        opening = turn.rfind("\\", 0, begin[0])
        if opening - closing > _FAR or not _BETWEEN.fullmatch(turn, closing, max(opening, closing)):
            break
        content = turn[start:end].strip()
        contents += [content] if content != contents[-1] else []
        begin = (start, end, closing)
    return ", ".join(reversed(contents))


def _innermost(text: str) -> Iterator[tuple[int, int | None, int]]:
    """Yield the start, the end and the closing of each box without boxes in it; None if cut."""
    last = -1
    for start, end in boxes(text, every=True):
        if end is None:
            yield start, None, start
        elif start > last:  # inner boxes come first: an outer one starts before them
            closing = end + 1 if text.startswith("}", end) else end
            yield start, end, closing
        last = max(last, start)
