"""The exact world: a tabular problem in which every expectation is a sum."""
