"""CSV that is safe to open in a spreadsheet: no cell is executed as a formula."""

import pandas as pd
from pandas.api import types as dtypes

MARK = "\ufeff"  # byte order mark: without it Excel takes UTF-8 for the system's own encoding

# A spreadsheet takes a cell that begins with one of these for a formula; the last four are their full-width forms. Some
# drop white space before it, and some begin a cell at a semicolon, a tab or a line break, whatever the separator is.
_SIGNS = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"
_FORMULA = rf"(^|[;\t\n])(?=[\s\ufeff\u200b]*{_SIGNS})|^(?=[\t\r\n])"


def neutralised(table: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before text that a spreadsheet would run as a formula; numbers stay numbers.

    A carriage return, which ends a line for many readers of CSV, is written as ``\\r``.

    OWASP, "CSV Injection": a file may be called ``=HYPERLINK(...).jpg``.
    """
    columns = {
        name: table[name].astype("string").str.replace(_FORMULA, r"\1'", regex=True).str.replace("\r", "\\r")
        for name in table
        if not dtypes.is_numeric_dtype(table[name])
    }
    return table.assign(**columns)


def as_csv(table: pd.DataFrame, *, header: bool = True) -> str:
    """Write a table as CSV, one line per row; see `neutralised`."""
    return neutralised(table).to_csv(index=False, header=header, lineterminator="\n")
