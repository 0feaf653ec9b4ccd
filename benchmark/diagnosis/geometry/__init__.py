"""A policy's geometry: gradients by objective, and the logit Jacobian."""
