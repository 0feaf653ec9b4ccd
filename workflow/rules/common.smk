# What the rules share: names, paths and hashes, all of them asked of the study.
import os
import sys
from pathlib import Path

from benchmark.project import model_folder

os.environ["CROSSTALK_WORKFLOW"] = "1"  # jobs end with Snakemake, even if it is killed


def get_study():
    """Return the study as commands name it, the same wherever the checkout lies."""
    inside = study.path.is_relative_to(study.layout.root)
    return str(study.path.relative_to(study.layout.root) if inside else study.path)


STUDY = get_study()
CROSSTALK = f"{sys.executable} -m benchmark"
RUNS = str(study.layout.runs.relative_to(study.layout.root))
CELL = f"{RUNS}/{{model}}/{{objectives}}/{{algorithm}}/seed{{seed}}"
BASELINE = f"{RUNS}/{{model}}/{{objectives}}/baseline"


wildcard_constraints:
    model=r"[^/]+",
    objectives=r"[^/]+",
    algorithm=r"[^/]+",
    seed=r"\d+",


def get_cell(wildcards):
    """Return the cell that the wildcards spell."""
    return cells["{model}/{objectives}/{algorithm}/seed{seed}".format(**wildcards)]


def get_cell_id(wildcards):
    """Return the id of the cell that the wildcards spell."""
    return get_cell(wildcards).id


def get_memory(wildcards):
    """Return the memory that a job of the model asks for, in MB."""
    return study.memory_mb(wildcards.model)
