"""Tables as the text of CSV files."""

import pandas


def csv_text(frame: pandas.DataFrame) -> str:
    """Return a table as CSV with six significant digits, the same on every system."""
    text: str = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return text
