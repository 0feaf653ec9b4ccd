"""The stages of the workflow. Each is a command of the CLI and runs without Snakemake."""
