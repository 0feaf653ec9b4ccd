# The tracking store, before parallel cells write to it, and the models.


def get_bases(wildcards):
    """Return the records of the models that a model is made from."""
    return [f"results/models/{base}/prepared.json" for base in study.models[wildcards.model].bases]


rule tracking:
    output:
        f"{RUNS}/tracking.json",
    log:
        f"{RUNS}/tracking.log",
    params:
        study=study.path,
    shell:
        "exec {CROSSTALK} tracking {params.study:q} > {log:q} 2>&1"


rule prepare:
    input:
        get_bases,
    output:
        "results/models/{model}/prepared.json",
    log:
        "results/models/{model}.log",
    params:
        study=study.path,
        hash=lambda wildcards: study.model_digest(wildcards.model),
    priority: 10
    resources:
        mem_mb=get_memory,
    shell:
        "exec {CROSSTALK} prepare {params.study:q} {wildcards.model:q} > {log:q} 2>&1"


rule baseline:
    input:
        "results/models/{model}/prepared.json",
    output:
        f"{BASELINE}/baseline.json",
        f"{BASELINE}/completions.parquet",
    log:
        f"{BASELINE}/baseline.log",
    params:
        study=study.path,
        hash=lambda wildcards: study.baseline_hash(wildcards.model, wildcards.objectives),
    resources:
        mem_mb=get_memory,
    shell:
        "exec {CROSSTALK} baseline {params.study:q} {wildcards.model:q} {wildcards.objectives:q}"
        " > {log:q} 2>&1"
