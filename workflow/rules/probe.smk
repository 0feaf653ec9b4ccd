# The geometry of a model's initial policy, which the model's cells are compared by.
PROBE = f"{RUNS}/{{model}}/{{objectives}}/probe"


rule probe:
    input:
        "results/models/{model}/prepared.json",
        rules.baseline.output,
        OBJECTIVE_MODELS,
    output:
        f"{PROBE}/geometry.json",
    log:
        f"{PROBE}/probe.log",
        usage=f"{PROBE}/probe.benchmark.tsv",
    threads: get_threads
    resources:
        mem_mb=get_memory,
        gpu=get_gpu,
        runtime=get_runtime,
    params:
        hash=signed(
            lambda wildcards: study.probe_hash(wildcards.model, wildcards.objectives)
        ),
    message:
        "Probe the initial policy of {wildcards.model} on {wildcards.objectives}"
    shell:
        "exec crosstalk --end-with-parent --usage {log.usage:q} {gpus} {resources.gpu} probe --hash {params.hash} {study.given_path:q} {wildcards.model:q} {wildcards.objectives:q}"
        " > {log[0]:q} 2>&1"
