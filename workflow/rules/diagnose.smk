# The covariance law on a trained cell, from its checkpoints, and what it says of the whole study.
# Not asked for by `rule all` unless the study says so: `crosstalk diagnose STUDY` asks for it.


rule diagnose:
    input:
        f"{CELL}/train.json",
        CHECKPOINTS,
        f"{CELL}/evaluation.json",  # not needed; a cell's stages would wait for one another
        rules.baseline.output,
        rules.probe.output if probed else [],
        OBJECTIVE_MODELS,
    output:
        f"{CELL}/diagnosis.json",
        f"{CELL}/diagnosis.parquet",
    log:
        f"{CELL}/diagnose.log",
        usage=f"{CELL}/diagnose.benchmark.tsv",
    threads: get_threads
    resources:
        mem_mb=get_memory,
        gpu=get_gpu,
        runtime=get_runtime,
    params:
        cell=CELL_ID,
        hash=signed(lambda wildcards: get_cell(wildcards).diagnosis_hash),
    message:
        "Diagnose {params.cell}"
    shell:
        "exec crosstalk --end-with-parent --usage {log.usage:q} {gpus} {resources.gpu} diagnose-cell --hash {params.hash} {study.given_path:q} {params.cell:q} > {log[0]:q} 2>&1"


rule report:
    input:
        [f"{RUNS}/{cell}/diagnosis.json" for cell in cells],
    output:
        f"{BOARD}/diagnosis.md",
        # As with the leaderboard: `crosstalk report` writes the page too.
        touch(f"{RUNS}/report.built"),
    log:
        f"{RUNS}/report.log",
    localrule: True
    params:
        # Asked of no study without a report: of 10,000 cells it takes seconds.
        hash=lambda wildcards: study.diagnoses_hash,
    message:
        "Report what the diagnosis of {study.name} found"
    shell:
        "exec crosstalk --end-with-parent report --hash {params.hash} {study.given_path:q} > {log:q} 2>&1"
