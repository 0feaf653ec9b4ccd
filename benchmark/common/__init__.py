"""What every room uses, and none of the science."""
