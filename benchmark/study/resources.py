"""Say what a job of the workflow asks the machine or the cluster for."""

from benchmark.study.study import Study


def memory_mb(study: Study, model: str, objective_set: str | None = None) -> int:
    """Return the memory of a job with the model, and of those that a set's objectives read."""
    own = study.overrides(model).memory_mb or study.models[model].resources.memory_mb
    read = study.objective_models(objective_set) if objective_set is not None else ()
    return own + sum(study.models[each].resources.memory_mb for each in read)


def training_gpus(study: Study, model: str, objective_set: str) -> int:
    """Return the GPUs that training the model takes; a set's models share them."""
    read = (model, *study.objective_models(objective_set))
    return max(study.models[each].resources.gpus for each in read)
