"""Measure a policy's geometry: gradients by objective, and the logit Jacobian."""
