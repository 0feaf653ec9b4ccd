"""What the commands share: trainers, checkpoints, processes, records."""
