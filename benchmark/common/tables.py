"""Tables as the text of CSV files."""

import pandas

FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what they begin with


def csv_text(frame: pandas.DataFrame) -> str:
    """Return a table as CSV with six significant digits, the same on every system.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, which
    spreadsheets do not show.
    """
    texts = frame.columns[[not pandas.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]]
    frame = frame.assign(**{name: frame[name].map(_inert) for name in texts})
    text: str = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return text


def _inert(value: object) -> object:
    """Return a text that is no formula; https://owasp.org/www-community/attacks/CSV_Injection."""
    formula = isinstance(value, str) and value.startswith(FORMULAS) and not _is_number(value)
    return f"'{value}" if formula else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def plain(value: object) -> object:
    """Return a text as it was before :func:`csv_text` made it inert."""
    inert = isinstance(value, str) and value.startswith("'") and value[1:].startswith(FORMULAS)
    return value[1:] if isinstance(value, str) and inert else value
