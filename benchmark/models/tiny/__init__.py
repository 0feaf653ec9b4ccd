"""Tiny models made on this machine: recipes, and the styles of answer they mix."""
