"""``python -m benchmark`` is ``crosstalk``."""

from benchmark.commands.cli import main

main()
