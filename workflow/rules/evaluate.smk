# One cell's checkpoint on the test problems. Its failure loses no training.


rule evaluate:
    input:
        f"{CELL}/train.json",
        CHECKPOINTS,
        rules.baseline.output,
        OBJECTIVE_MODELS,
    output:
        f"{CELL}/evaluation.json",
        f"{CELL}/completions.parquet",
    log:
        f"{CELL}/evaluate.log",
        usage=f"{CELL}/evaluate.benchmark.tsv",
    priority: 5
    threads: get_threads
    resources:
        mem_mb=get_memory,
        gpu=get_gpu,
        runtime=get_runtime,
    params:
        cell=CELL_ID,
        hash=signed(lambda wildcards: get_cell(wildcards).hash),
    message:
        "Evaluate {params.cell}"
    shell:
        "exec crosstalk --end-with-parent --usage {log.usage:q} {gpus} {resources.gpu} evaluate --hash {params.hash} {study.given_path:q} {params.cell:q} > {log[0]:q} 2>&1"
