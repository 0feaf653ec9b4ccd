"""A policy: load it, sample from it, take its log-probabilities and gradients."""
