# One cell: a policy trained from its model. The checkpoints beside the record are not outputs, so
# that a cell which was interrupted resumes from them (but see `stored`).


rule train:
    input:
        ancient(rules.tracking.output),
        "results/models/{model}/prepared.json",
        OBJECTIVE_MODELS,
    output:
        f"{CELL}/train.json",
        [directory(folder) for folder in CHECKPOINTS],
    log:
        f"{CELL}/train.log",
        usage=f"{CELL}/train.benchmark.tsv",
    threads: get_training_threads
    resources:
        mem_mb=get_memory,
        gpu=get_gpus,
        runtime=get_runtime,
    params:
        cell=CELL_ID,
        hash=signed(lambda wildcards: get_cell(wildcards).training_hash),
    message:
        "Train {params.cell}"
    shell:
        "exec crosstalk --end-with-parent --usage {log.usage:q} {gpus} {resources.gpu} train --hash {params.hash} {study.given_path:q} {params.cell:q} > {log[0]:q} 2>&1"
