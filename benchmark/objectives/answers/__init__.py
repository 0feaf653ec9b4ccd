"""Find the answer of a completion, read it, and say whether it is the reference answer."""
