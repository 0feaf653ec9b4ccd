"""Studies: a YAML file becomes a frozen matrix of cells."""

from benchmark.study.checks import check
from benchmark.study.loading import find_study, load_study, study_files, study_names
from benchmark.study.resources import calibration_mb, memory_mb, shares_gpus, training_gpus
from benchmark.study.study import Algorithm, Cell, Study

__all__ = [
    "Algorithm",
    "Cell",
    "Study",
    "calibration_mb",
    "check",
    "find_study",
    "load_study",
    "memory_mb",
    "shares_gpus",
    "study_files",
    "study_names",
    "training_gpus",
]
