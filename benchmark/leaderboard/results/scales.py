"""Say of objectives on a fitted scale which one it is, as it was tracked with the runs."""

from collections.abc import Iterable, Iterator, Mapping

from benchmark.leaderboard.results.origins import Origin, below
from benchmark.tracking.scales import SCALES

PARTS = ("policy", "kind", "completions")
ENDS = ("low", "high")


def scale_notes(origins: Iterable[Origin]) -> tuple[str, ...]:
    """Return a sentence for each fitted scale of the runs, each once."""
    found = (note for origin in origins for note in _told(origin.settings))
    return tuple(sorted(set(found)))


def _told(settings: Mapping[str, str]) -> Iterator[str]:
    tracked = below(SCALES, settings)
    for name in sorted({key.split(".")[0] for key in tracked}):
        policy, kind, completions = (tracked[f"{name}.{part}"] for part in PARTS)
        ends = (
            f"{float(tracked[f'{name}.{end}.reward']):.4g} at its "
            f"{float(tracked[f'{name}.{end}.quantile']):g}-quantile"
            for end in ENDS
        )
        yield (
            f"{name} is calibrated ({kind}): {' and '.join(ends)} of {completions} completions of "
            f"training prompts by the initial policy of {policy}."
        )
