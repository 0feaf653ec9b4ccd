"""Name the parameters that fitted scales of objectives are tracked under.

Apart from ``names``, which is part of the hash of every result.
"""

SCALES = "calibration."  # and behind it the objective's id
