"""Say what a job of the workflow asks the machine or the cluster for."""

from benchmark.study.study import Study


def memory_mb(study: Study, model: str, objective_set: str | None = None) -> int:
    """Return the memory of a job with the model, and of those that a set's objectives read."""
    own = study.overrides(model).memory_mb or study.models[model].resources.memory_mb
    read = study.objective_models(objective_set) if objective_set is not None else ()
    return own + sum(study.models[each].resources.memory_mb for each in read)


def calibration_mb(study: Study, name: str) -> int:
    """Return the memory of a job that fits an objective's scale."""
    read = study.calibration_models(name)
    return sum(study.models[each].resources.memory_mb for each in read)


def training_gpus(study: Study, model: str, objective_set: str) -> int | float:
    """Return the GPUs, or the share of one, that training takes; a set's models share them."""
    read = (model, *study.objective_models(objective_set))
    return max(study.models[each].resources.gpus for each in read)


def shares_gpus(study: Study) -> bool:
    """Say whether jobs of the study take a share of a GPU, so that several are on one."""
    return any(0 < study.models[name].resources.gpus < 1 for name in study.preparation_order())
