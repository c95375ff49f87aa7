"""Compare the results of two runs to the last digit: python tools/compare_runs.py runs/BEFORE runs/AFTER

Reads every JSON, Parquet and Zarr file of both folders, compares values, types and order, and prints one line per
difference; the exit code is 1 if there is any. The run's name, times, durations and versions are ignored, and so is how
a file is compressed. With ``--within 1e-12`` numbers may differ by that relative amount.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from analysis.core.zarr_zip import read_zarr_zip

IGNORED = {"created", "code", "versions", "run", "seconds"}
SUFFIXES = (".json", ".parquet", ".zarr.zip")


def differences(before: Path, after: Path, within: float = 0.0) -> Iterator[str]:
    """Walk both folders and describe each difference in one line.

    Parameters
    ----------
    before, after
        Folders of two runs, or parts of them.
    within
        Relative difference of numbers that is accepted; 0 accepts only identical ones.
    """
    names = {
        folder: {str(path.relative_to(folder)) for path in folder.rglob("*") if path.name.endswith(SUFFIXES)}
        for folder in (before, after)
    }
    for name in sorted(names[before] ^ names[after]):
        yield f"{name}: only in {before if name in names[before] else after}"
    for name in sorted(names[before] & names[after]):
        first, second = before / name, after / name
        if name.endswith(".json"):
            lines = _json(json.loads(first.read_text("utf-8")), json.loads(second.read_text("utf-8")), within)
        elif name.endswith(".parquet"):
            lines = _table(pd.read_parquet(first), pd.read_parquet(second), within)
        else:
            lines = _arrays(read_zarr_zip(first), read_zarr_zip(second), within)
        yield from (f"{name}: {line}" for line in lines)


def _json(first: Any, second: Any, within: float, where: str = "") -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for key in [*first, *(key for key in second if key not in first)]:
            if key in IGNORED:
                continue
            if key not in first or key not in second:
                yield f"{where}{key} is only in the {'first' if key in first else 'second'}"
            else:
                yield from _json(first[key], second[key], within, f"{where}{key}.")
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for number, pair in enumerate(zip(first, second, strict=True)):
            yield from _json(*pair, within, f"{where}{number}.")
    elif not _same_value(first, second, within):
        yield f"{where.rstrip('.')}: {first!r} and {second!r}"


def _same_value(first: Any, second: Any, within: float) -> bool:
    if within and isinstance(first, float) and isinstance(second, float):
        return bool(np.isclose(first, second, rtol=within, atol=0, equal_nan=True))
    return repr(first) == repr(second)  # 1 is not 1.0, and NaN is NaN


def _table(first: pd.DataFrame, second: pd.DataFrame, within: float) -> Iterator[str]:
    if list(first.columns) != list(second.columns):
        yield f"columns {list(first.columns)} and {list(second.columns)}"
        return
    if len(first) != len(second):
        yield f"{len(first):,} and {len(second):,} rows"
        return
    for column in (column for column in first.columns if column not in IGNORED):
        if first[column].dtype != second[column].dtype:
            yield f"{column}: {first[column].dtype} and {second[column].dtype}"
        else:
            yield from _values(column, first[column].to_numpy(), second[column].to_numpy(), within)


def _arrays(first: xr.Dataset, second: xr.Dataset, within: float) -> Iterator[str]:
    if first.attrs != second.attrs:
        yield f"attributes {first.attrs} and {second.attrs}"
    for name in sorted(set(first.variables) | set(second.variables), key=str):
        if name not in first.variables or name not in second.variables:
            yield f"{name} is only in the {'first' if name in first.variables else 'second'}"
            continue
        one, two = first[name], second[name]
        if one.dims != two.dims or one.shape != two.shape or one.dtype != two.dtype:
            yield f"{name}: {one.dtype} {dict(one.sizes)} and {two.dtype} {dict(two.sizes)}"
        else:
            yield from _values(str(name), one.to_numpy(), two.to_numpy(), within)


def _values(name: str, first: np.ndarray, second: np.ndarray, within: float) -> Iterator[str]:
    if np.issubdtype(first.dtype, np.floating):
        same = (first == second) | (np.isnan(first) & np.isnan(second))
        if within:
            same |= np.isclose(first, second, rtol=within, atol=0)
        if not same.all():
            largest = np.nanmax(np.abs(first.astype(float) - second.astype(float)))
            yield f"{name}: {int((~same).sum()):,} of {same.size:,} numbers differ, by {largest:.3g} at most"
        return
    different = sum(repr(one) != repr(two) for one, two in zip(first.flat, second.flat, strict=True))
    if different:
        yield f"{name}: {different:,} of {first.size:,} values differ"


def main() -> None:
    """Read the command line, print the differences and exit with 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="folder of a run, or a part of it such as runs/RUN/study")
    parser.add_argument("after", type=Path, help="folder to compare it with")
    parser.add_argument("--within", type=float, default=0.0, help="accept this relative difference of numbers")
    options = parser.parse_args()
    lines = list(differences(options.before, options.after, options.within))
    print("\n".join(lines) or "no difference")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
