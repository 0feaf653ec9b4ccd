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
        study=study.path,
        cells=[cell.hash for cell in cells.values()],
    shell:
        "exec {CROSSTALK} leaderboard {params.study:q} > {log:q} 2>&1"
