"""Why an objective fell: measurements on samples and policies."""
