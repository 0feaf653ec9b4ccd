"""Read tracked runs into one table."""
