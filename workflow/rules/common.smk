# What the rules share: names, paths and hashes, all of them asked of the study. A function is called
# for every job, which takes Snakemake longer than a pattern: 10,000 cells take seconds a function.
import logging
import os
import sys
from inspect import signature
from math import ceil

from benchmark.commands.jobs.failures import Failures
from benchmark.commands.jobs.journal import VARIABLE, attach

RUNS = str(study.layout.runs.relative_to(study.layout.root))
CELL_ID = "{model}/{objectives}/{algorithm}/seed{seed}"
CELL = f"{RUNS}/{CELL_ID}"
EVALUATIONS = [f"{RUNS}/{cell}/evaluation.json" for cell in cells]
BASELINE = f"{RUNS}/{{model}}/{{objectives}}/baseline"
CALIBRATION = f"{RUNS}/calibration/{{objective}}/calibration.json"
BOARD = str(study.layout.board.relative_to(study.layout.root))
# Jobs on this machine share out its GPUs among themselves; a cluster's scheduler gives a job its own.
gpus = "--given-gpus" if workflow.remote_exec else "--lease-gpus"
# Shares of a GPU are counted in hundredths, as Snakemake counts whole numbers alone; a cluster's
# scheduler gives whole GPUs.
shared = shares_gpus(study) and workflow.local_exec and not workflow.remote_exec
if shared:
    gpus = "--lease-gpu-percent"
# Where files go to object storage, what a job does not name as its output is lost with its machine.
stored = workflow.storage_settings.default_storage_provider is not None
CHECKPOINTS = [f"{CELL}/checkpoints"] if stored else []


wildcard_constraints:
    model=r"[^/]+",
    objectives=r"[^/]+",
    algorithm=r"[^/]+",
    seed=r"\d+",
    objective=r"[^/]+",


class Counts(logging.Handler):
    """Prints the number of jobs of each rule, which a dry run that lists no job hides."""

    def emit(self, record):
        if hasattr(record, "stats"):
            print(record.getMessage(), file=sys.stderr)


if {str(each) for each in workflow.output_settings.quiet} == {"rules", "progress"}:
    logger.addHandler(Counts())


failures = Failures()
if not workflow.remote_exec:  # in a cluster's job they go into its own log
    for handler in logger.handlers:
        if not hasattr(handler, "baseFilename"):  # not the file in .snakemake
            handler.addFilter(failures)


onerror:
    if VARIABLE not in os.environ:  # else `crosstalk run` tells them
        for line in failures.lines():
            print(line, file=sys.stderr)


def signed(function):
    """Return a function with its signature at hand, which Snakemake asks for at every call."""
    function.__signature__ = signature(function)
    return function


def get_cell(wildcards):
    """Return the cell that the wildcards spell."""
    return cells[CELL_ID.format(**wildcards)]


@signed
def get_bases(wildcards):
    """Return the records of the models that a model is made from."""
    bases = study.models[wildcards.model].bases
    return [f"results/models/{base}/prepared.json" for base in bases]


@signed
def get_objective_models(wildcards):
    """Return the records of the models that the objectives of a set read, and of their scales."""
    models = study.objective_models(wildcards.objectives)
    fitted = study.fitted(wildcards.objectives)
    return [f"results/models/{model}/prepared.json" for model in models] + [
        CALIBRATION.format(objective=name) for name in fitted
    ]


read = any(
    study.objective_models(name) or study.fitted(name)
    for name in study.file.objective_sets
)
OBJECTIVE_MODELS = get_objective_models if read else []


@signed
def get_memory(wildcards):
    """Return the memory that a job of the model, and of the set's, asks for, in MB."""
    return memory_mb(study, wildcards.model, wildcards.get("objectives"))


@signed
def get_calibrating_models(wildcards):
    """Return the records of the models that the fit of an objective's scale reads."""
    read = study.calibration_models(wildcards.objective)
    return [f"results/models/{model}/prepared.json" for model in read]


@signed
def get_calibrating_memory(wildcards):
    """Return the memory that fitting an objective's scale asks for, in MB."""
    return calibration_mb(study, wildcards.objective)


def get_calibrating_share(wildcards):
    """Return the GPUs, at most one, of fitting an objective's scale."""
    read = study.calibration_models(wildcards.objective)
    return min(1, max(study.models[model].resources.gpus for model in read))


@signed
def get_calibrating_gpu(wildcards):
    """Return the GPUs that fitting an objective's scale asks for."""
    return counted(get_calibrating_share(wildcards))


@signed
def get_calibrating_threads(wildcards):
    """Return the cores of the same job."""
    return cores(get_calibrating_share(wildcards))


def counted(number):
    """Return a number of GPUs as the resource `gpu` counts them."""
    return round(100 * number) if shared else ceil(number)


def cores(number):
    """Return the cores of a job: a GPU keeps some busy; results on the CPU are those of one core."""
    return max(1, ceil(4 * number))


def get_share(wildcards):
    """Return the GPUs, at most one, of a stage of one process."""
    return min(1, training_gpus(study, wildcards.model, wildcards.objectives))


@signed
def get_gpus(wildcards):
    """Return the GPUs that training the model asks for."""
    return counted(training_gpus(study, wildcards.model, wildcards.objectives))


@signed
def get_gpu(wildcards):
    """Return the GPUs that a stage of one process asks for: at most one."""
    return counted(get_share(wildcards))


@signed
def get_threads(wildcards):
    """Return the cores of a stage of one process."""
    return cores(get_share(wildcards))


@signed
def get_training_threads(wildcards):
    """Return the cores of training."""
    return cores(training_gpus(study, wildcards.model, wildcards.objectives))


@signed
def get_runtime(wildcards):
    """Return the minutes after which a cluster may end a job of the model."""
    return study.models[wildcards.model].resources.runtime_minutes


def get_warming_share(wildcards):
    """Return the GPUs of preparing a model: at most one for a warm-up, if training has any."""
    spec = study.models[wildcards.model]
    return min(1, spec.resources.gpus) if spec.warm_up is not None else 0


@signed
def get_preparing_gpu(wildcards):
    """Return the GPUs that preparing a model asks for."""
    return counted(get_warming_share(wildcards))


@signed
def get_preparing_threads(wildcards):
    """Return the cores of the same job, as of any stage of one process."""
    return cores(get_warming_share(wildcards))


# What `crosstalk status` says of a run, and `crosstalk run` while it waits.
if not (workflow.remote_exec or workflow.subprocess_exec):
    attach(logger)
