# The tables, from the tracked runs alone; the cells' records only say that they are complete.
from benchmark.leaderboard.files import FILES

REPORTED = {
    "index.html": "site",
    "leaderboard.md": "page",
    "leaderboard.csv": "overall",
    "tables.csv": "tables",
    "matrix.csv": "matrix",
    "dependence.csv": "dependence",
    "cost.csv": "cost",
}


rule leaderboard:
    input:
        EVALUATIONS,
        # Why an objective fell is a column of the tables.
        [f"{RUNS}/{cell}/diagnosis.json" for cell in cells] if diagnosed else [],
    output:
        [
            report(
                f"{BOARD}/{name}",
                caption=f"../report/{caption}.rst",
                category="Leaderboard",
                labels={"table": caption, "format": name.rpartition(".")[2]},
            )
            for name, caption in REPORTED.items()
        ],
        [f"{BOARD}/{name}" for name in FILES if name not in REPORTED],
        # `crosstalk leaderboard` writes tables too: that they are there does not say that all count.
        touch(f"{RUNS}/leaderboard.built"),
    log:
        f"{RUNS}/leaderboard.log",
    localrule: True
    params:
        hash=lambda wildcards: study.results_hash,
    message:
        "Build the leaderboard of {study.name}"
    shell:
        "exec crosstalk --end-with-parent leaderboard --hash {params.hash} {study.given_path:q} > {log:q} 2>&1"
