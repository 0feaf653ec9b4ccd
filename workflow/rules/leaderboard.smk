# The tables, from the tracked runs alone; the cells' records only say that they are complete.
LEADERBOARD = str(study.layout.leaderboard.relative_to(study.layout.root))
FILES = [
    "leaderboard.md",
    "leaderboard.csv",
    "tables.csv",
    "matrix.csv",
    "cells.csv",
    "provenance.json",
]


rule leaderboard:
    input:
        [f"{RUNS}/{cell}/evaluation.json" for cell in cells],
    output:
        multiext(f"{LEADERBOARD}/", *FILES),
    log:
        f"{RUNS}/leaderboard.log",
    params:
        cells=[cell.hash for cell in cells.values()],
    message:
        "Build the leaderboard of {study.name}"
    shell:
        "exec {CROSSTALK} leaderboard {STUDY:q} > {log:q} 2>&1"
