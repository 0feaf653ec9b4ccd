# The tables, from the tracked runs alone; the cells' records only say that they are complete.


rule leaderboard:
    input:
        [f"{RUNS}/{cell}/evaluation.json" for cell in cells],
        # Why an objective fell is a column of the tables.
        [f"{RUNS}/{cell}/diagnosis.json" for cell in cells] if diagnosed else [],
    output:
        multiext(
            f"{LEADERBOARD}/",
            "index.html",
            "leaderboard.md",
            "leaderboard.csv",
            "tables.csv",
            "matrix.csv",
            "cells.csv",
            "provenance.json",
        ),
        # The tables are published with the code: that they are there does not say who built them.
        touch(f"{RUNS}/leaderboard.built"),
    log:
        f"{RUNS}/leaderboard.log",
    params:
        study=get_study,
        cells=[cell.hash for cell in cells.values()],
    message:
        "Build the leaderboard of {study.name}"
    shell:
        "exec crosstalk --end-with-parent leaderboard {params.study:q} > {log:q} 2>&1"
