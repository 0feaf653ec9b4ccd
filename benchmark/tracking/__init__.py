"""Write and read the record of a study, kept in MLflow."""
