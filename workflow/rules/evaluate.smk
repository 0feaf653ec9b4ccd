# One cell's checkpoint on the test problems. Its failure loses no training.


rule evaluate:
    input:
        f"{CELL}/train.json",
        rules.baseline.output,
    output:
        f"{CELL}/evaluation.json",
        f"{CELL}/completions.parquet",
    log:
        f"{CELL}/evaluate.log",
    benchmark:
        f"{CELL}/evaluate.benchmark.tsv"
    params:
        study=study.path,
        cell=get_cell_id,
        hash=lambda wildcards: get_cell(wildcards).hash,
    priority: 5
    resources:
        mem_mb=get_memory,
    shell:
        "exec {CROSSTALK} evaluate {params.study:q} {params.cell:q} > {log:q} 2>&1"
