"""MLflow, the record of a study: write a run, read runs."""
