"""``python -m benchmark`` is ``crosstalk``."""

from benchmark.cli import main

main()
