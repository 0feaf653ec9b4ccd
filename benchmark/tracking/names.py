"""Name the tags, parameters and metrics that runs are tracked with, each in one place.

A metric of one objective is ``<kind>/<objective>``, for instance ``test/clarity`` or
``covariance/score/clarity``; what else is known of it follows: ``test/clarity/delta_se``.
"""

# --- tags --------------------------------------------------------------------------------------

STUDY, MODEL, ALGORITHM, OBJECTIVES = "study", "model", "algorithm", "objectives"
SEED = "seed"
CELL, CELL_HASH, DIAGNOSIS_HASH = "cell", "cell_hash", "diagnosis_hash"
GIT_COMMIT, ENVIRONMENT_HASH = "git_commit", "environment_hash"
STATUS, ATTEMPT, HOST, PID, SUPERSEDED_BY = "status", "attempt", "host", "pid", "superseded_by"
ATTRIBUTION = "attribution"  # why each objective fell, as a JSON object of texts
DIAGNOSED_DECLINES = "diagnosed_declines"  # how far at the diagnosed steps, of numbers

# Values of STATUS
RUNNING, TRAINED, COMPLETE = "running", "trained", "complete"
FAILED, KILLED, SUPERSEDED = "failed", "killed", "superseded"

# --- parameters: a name, or what several names begin with ---------------------------------------

ENVIRONMENT, HARDWARE = "environment.", "hardware."
ALGORITHM_SETTINGS, TRAINING, TASK, SAMPLING = "algorithm.", "training.", "task.", "sampling."
MODEL_SETTINGS = "model"
ESTIMATOR, LEARNING_RATE = "training.estimator", "training.learning_rate"
STEPS, PASSES, MINIBATCHES = "training.steps", "training.passes", "training.minibatches"
MAX_TOKENS = "sampling.max_tokens"  # the longest completion
GRAMIAN_PARAMETERS = "training.gramian_parameters"
CPU, GPUS = "hardware.cpu", "hardware.gpus"
OBJECTIVE_NAMES, OBJECTIVE_WEIGHTS = "objectives.names", "objectives.weights"

# --- metrics -----------------------------------------------------------------------------------

# Kinds, what a metric's name has before the objective
TEST, VALIDATION, TRAIN_REWARD = "test", "validation", "train/reward"
DIAGNOSIS = "diagnosis"
# What is known of an objective besides its value
INITIAL, DELTA, DELTA_SE = "initial", "delta", "delta_se"
PARTS = (INITIAL, DELTA, DELTA_SE)
# What several names begin with
TIME, GRADIENT, SCALARIZER, GEOMETRY = "time/", "gradient/", "scalarizer/", "geometry/"
CONFLICT, SIMILARITY = "geometry/conflict/", "geometry/magnitude_similarity/"  # of pairs
COVARIANCE, CORRELATION = "covariance/", "correlation/"
NEGATIVE_FRACTION, TOP_MEAN = "negative_fraction/", "top_mean/"
MEMORY = "memory/"
# Whole names
PEAK_MEMORY = "memory/peak_mb"
TRAIN_TOKENS, VALIDATION_TOKENS = "train/tokens", "validation/tokens"
SCORE = "score"  # stands for the weighted sum among the objectives
TOKENS = "tokens"  # stands for the length of completions among the objectives
TEST_TOKENS, TEST_TOKENS_INITIAL = "test/tokens", "test/tokens/initial"
TEST_PROMPTS = "test/prompts"
DIVERGED = "diverged"  # 1 where a value was infinite; as a tag: what diverged, and when

# --- files stored with a run, and their columns -------------------------------------------------

COMPLETIONS = "completions.parquet"
DIAGNOSIS_TABLE = "diagnosis.parquet"
REWARD = "reward/"  # what the columns and rows of an objective's rewards begin with


def objective_metric(kind: str, objective: str, part: str = "") -> str:
    """Return the name of an objective's metric, such as ``test/clarity/delta``."""
    return f"{kind}/{objective}/{part}" if part else f"{kind}/{objective}"


def split_metric(name: str) -> tuple[str, str, str]:
    """Return kind, objective and part of a metric: the inverse of :func:`objective_metric`.

    The part is one of :data:`PARTS`, or empty.
    """
    kind, _, objective = name.rpartition("/")
    if objective in PARTS and "/" in kind:
        part, (kind, _, objective) = objective, kind.rpartition("/")
        return kind, objective, part
    return kind, objective, ""
