"""``crosstalk``, which ``python -m benchmark`` is too. Imports nothing heavy before it has to."""

from benchmark.commands.jobs.preloaded.client import hand_over


def main() -> None:
    """Have the workflow's preloaded process run the command if there is one, or run it here."""
    reason = hand_over()
    from benchmark.commands.cli import main

    main(f"not forked: {reason}" if reason else "")


if __name__ == "__main__":
    main()
