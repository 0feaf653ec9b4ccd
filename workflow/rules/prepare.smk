# The tracking store, before parallel cells write to it, and the models.


def get_bases(wildcards):
    """Return the records of the models that a model is made from."""
    return [
        f"results/models/{base}/prepared.json"
        for base in study.models[wildcards.model].bases
    ]


rule tracking:
    output:
        f"{RUNS}/tracking.json",
    log:
        f"{RUNS}/tracking.log",
    message:
        "Create the tracking store"
    shell:
        "exec {CROSSTALK} tracking {STUDY:q} > {log:q} 2>&1"


rule prepare:
    input:
        get_bases,
    output:
        "results/models/{model}/prepared.json",
    log:
        "results/models/{model}.log",
    priority: 10
    resources:
        mem_mb=get_memory,
    params:
        hash=lambda wildcards: study.model_digest(wildcards.model),
    message:
        "Prepare the model {wildcards.model}"
    shell:
        "exec {CROSSTALK} prepare {STUDY:q} {wildcards.model:q} > {log:q} 2>&1"


rule baseline:
    input:
        "results/models/{model}/prepared.json",
    output:
        f"{BASELINE}/baseline.json",
        f"{BASELINE}/completions.parquet",
    log:
        f"{BASELINE}/baseline.log",
    resources:
        mem_mb=get_memory,
    params:
        hash=lambda wildcards: study.baseline_hash(
            wildcards.model, wildcards.objectives
        ),
    message:
        "Evaluate the initial policy of {wildcards.model} on {wildcards.objectives}"
    shell:
        "exec {CROSSTALK} baseline {STUDY:q} {wildcards.model:q} {wildcards.objectives:q}"
        " > {log:q} 2>&1"
