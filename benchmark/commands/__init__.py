"""The commands of ``crosstalk``, one file each."""
