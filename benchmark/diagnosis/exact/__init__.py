"""Measure the covariance law exactly, on policies so small that every expectation is a sum."""
