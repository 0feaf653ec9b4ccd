"""Studies: a YAML file becomes a frozen matrix of cells."""

from benchmark.study.cells import Algorithm, Cell
from benchmark.study.study import Study, find_study, study_names

__all__ = ["Algorithm", "Cell", "Study", "find_study", "study_names"]
