"""Aggregate the table into data frames."""
