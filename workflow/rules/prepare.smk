# The data and the tracking store, before parallel cells use them, and the models.


rule tracking:
    output:
        f"{RUNS}/tracking.json",
    log:
        f"{RUNS}/tracking.log",
    localrule: True
    message:
        "Prepare the data and the tracking store"
    shell:
        "exec crosstalk --end-with-parent prepare --without-models {study.given_path:q} > {log:q} 2>&1"


rule prepare:
    input:
        get_bases,
    output:
        "results/models/{model}/prepared.json",
    log:
        "results/models/{model}.log",
    priority: 10
    threads: get_preparing_threads
    resources:
        mem_mb=get_memory,
        gpu=get_preparing_gpu,
        runtime=get_runtime,
    params:
        hash=signed(lambda wildcards: study.model_digest(wildcards.model)),
    message:
        "Prepare the model {wildcards.model}"
    shell:
        "exec crosstalk --end-with-parent {gpus} {resources.gpu} prepare --hash {params.hash} --model {wildcards.model:q} > {log:q} 2>&1"


rule baseline:
    input:
        "results/models/{model}/prepared.json",
        OBJECTIVE_MODELS,
    output:
        f"{BASELINE}/baseline.json",
        f"{BASELINE}/completions.parquet",
    log:
        f"{BASELINE}/baseline.log",
    threads: get_threads
    resources:
        mem_mb=get_memory,
        gpu=get_gpu,
        runtime=get_runtime,
    params:
        hash=lambda wildcards: study.baseline_hash(
            wildcards.model, wildcards.objectives
        ),
    message:
        "Evaluate the initial policy of {wildcards.model} on {wildcards.objectives}"
    shell:
        "exec crosstalk --end-with-parent {gpus} {resources.gpu} baseline --hash {params.hash} {study.given_path:q} {wildcards.model:q} {wildcards.objectives:q}"
        " > {log:q} 2>&1"


# Before training, and on training prompts: see `benchmark/commands/calibrate.py`.
rule calibrate:
    input:
        ancient(rules.tracking.output),
        get_calibrating_models,
    output:
        CALIBRATION,
        f"{RUNS}/calibration/{{objective}}/completions.parquet",
    log:
        f"{RUNS}/calibration/{{objective}}/calibration.log",
    threads: get_calibrating_threads
    resources:
        mem_mb=get_calibrating_memory,
        gpu=get_calibrating_gpu,
        runtime=signed(
            lambda wildcards: study.models[
                study.policy_of(wildcards.objective)
            ].resources.runtime_minutes
        ),
    params:
        hash=signed(lambda wildcards: study.calibration_hash(wildcards.objective)),
    message:
        "Fit the scale of {wildcards.objective}"
    shell:
        "exec crosstalk --end-with-parent {gpus} {resources.gpu} calibrate --hash {params.hash} {study.given_path:q} {wildcards.objective:q}"
        " > {log:q} 2>&1"
