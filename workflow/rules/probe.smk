# The geometry of a model's initial policy, which the model's cells are compared by.
from benchmark.commands.probe import Geometry, probe_hash

PROBE = f"{RUNS}/{{model}}/{{objectives}}/probe"


rule probe:
    input:
        "results/models/{model}/prepared.json",
        rules.baseline.output,
        get_objective_models,
    output:
        f"{PROBE}/{Geometry.FILE}",
    log:
        f"{PROBE}/probe.log",
    benchmark:
        f"{PROBE}/probe.benchmark.tsv"
    threads: get_threads
    resources:
        mem_mb=get_memory,
        gpu=get_gpu,
        runtime=get_runtime,
    params:
        study=get_study,
        hash=lambda wildcards: probe_hash(study, wildcards.model, wildcards.objectives),
    message:
        "Probe the initial policy of {wildcards.model} on {wildcards.objectives}"
    shell:
        "exec crosstalk --end-with-parent {gpus} {resources.gpu} probe {params.study:q} {wildcards.model:q} {wildcards.objectives:q}"
        " > {log:q} 2>&1"
