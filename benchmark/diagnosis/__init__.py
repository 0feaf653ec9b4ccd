"""Find out why an objective fell, from measurements on samples and policies."""
