"""Filters: expressions that select a subset of a data set by the columns of its manifest and a model's scores. ::

    label == 'male' and Smiling and not Eyeglasses
    20 <= age < 40 and race in ('Asian', 'Black')
    split == 'test' and confidence > 0.9

It is parsed as Python and walked here: only comparisons of a column with constants, joined by and, or and not, mean
anything; nothing is executed. A column whose name is not a Python name is written in backticks: `` `eye colour` ``.
"""

import ast
import difflib
import operator
import re
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from analysis.averages.base import check_size
from analysis.core.errors import UserError
from analysis.core.people import age_band
from analysis.core.schema import CELEBA_ATTRIBUTES
from analysis.data.dataset import Dataset
from analysis.data.label_table import RESERVED

MEASURES = ("brightness", "contrast", "sharpness", "width", "height")
COLUMNS = (
    "label",
    "split",
    "identity",
    "age",
    "age_band",
    "race",
    *CELEBA_ATTRIBUTES,
    "p_male",
    "confidence",
    "decision",
    *MEASURES,
    "aligned_by",
)
_LONGEST = 500  # characters of a filter
_SHOWN = 12  # values that an error message lists at most
_WORDS = re.compile(r"'[^']*'|\"[^\"]*\"|`(?P<quoted>[^`]*)`|\b\d\w*\b")
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FLIPPED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}


def load_table(dataset: Dataset, predictions: pd.DataFrame | None = None) -> pd.DataFrame:
    """Make the table that filters select from.

    Parameters
    ----------
    dataset
        An ingested data set.
    predictions
        ``predictions.parquet`` of a run; None leaves scores out.

    Returns
    -------
    pandas.DataFrame
        One row per row of the manifest: ``status``, and those of `COLUMNS` and of the further columns of a table of
        labels that are known for at least one face. ``p_male`` (in [0, 1]), ``confidence`` (the larger of p and 1 - p)
        and ``decision`` are those of ``predictions`` for the same image of the same data set.

    Raises
    ------
    UserError
        If the data set is not ingested or its manifest is malformed.
    """
    manifest = dataset.manifest.copy()
    if "age" in manifest:
        manifest["age_band"] = age_band(manifest["age"])
    if predictions is not None:
        own = predictions[predictions["dataset"] == dataset.name].drop_duplicates("image_id").set_index("image_id")
        scores = own[["p_male", "decision"]].reindex(manifest["image_id"])
        p = scores["p_male"].to_numpy(dtype=float)
        if not np.isnan(p).all():
            manifest["p_male"], manifest["confidence"] = p, np.maximum(p, 1 - p)
            manifest["decision"] = scores["decision"].to_numpy()
    further = [column for column in manifest.columns if column not in COLUMNS and column not in RESERVED]
    kept = [column for column in (*COLUMNS, *further) if column in manifest and manifest[column].notna().any()]
    return selectable(manifest[["status", *kept]])


def selectable(table: pd.DataFrame) -> pd.DataFrame:
    """Make a table of faces one that `select` takes: text becomes categories, and faces without a status are usable."""
    table = table.copy()
    if "status" not in table:
        table["status"] = "ok"
    for column in table.columns:
        if not pd.api.types.is_numeric_dtype(table[column]) and not pd.api.types.is_bool_dtype(table[column]):
            table[column] = table[column].astype("category")
    return table


def select(table: pd.DataFrame, expression: str) -> np.ndarray:
    """Select the usable faces that fit a filter.

    Parameters
    ----------
    table
        As from `load_table`.
    expression
        Filter as described in the module's docstring; empty for all faces. A face with a missing value does not fit a
        condition on that column.

    Returns
    -------
    numpy.ndarray
        bool (image,).

    Raises
    ------
    UserError
        If the filter is malformed, or names a column or a value that the table does not have.
    """
    usable = (table["status"] == "ok").to_numpy(dtype=bool)
    if not expression.strip():
        return usable
    if len(expression) > _LONGEST:
        raise UserError(f"the filter is over {_LONGEST} characters long: shorten it")
    names: dict[str, str] = {}

    def identifier(match: re.Match[str]) -> str:
        name = match["quoted"] if match["quoted"] is not None else match[0]
        if match["quoted"] is None and (name not in table or name.isdecimal()) and name not in COLUMNS:
            return match[0]
        placeholder = f"_column_{len(names)}_"
        names[placeholder] = name
        return placeholder

    try:
        tree = ast.parse(_WORDS.sub(identifier, expression).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UserError(
            f"the filter {expression!r} cannot be read: write it like \"label == 'male' and Smiling\""
        ) from None
    return _Filter(table, names).rows(tree.body).fillna(False).to_numpy(dtype=bool) & usable


class _Filter:
    """Evaluates the syntax tree of a filter: each node gives a nullable boolean per row."""

    def __init__(self, table: pd.DataFrame, names: dict[str, str]) -> None:
        self.table, self.names = table, names

    def rows(self, node: ast.expr) -> pd.Series:
        if isinstance(node, ast.BoolOp):
            join = operator.and_ if isinstance(node.op, ast.And) else operator.or_
            return reduce(join, [self.rows(value) for value in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.rows(node.operand)
        if isinstance(node, ast.Name):
            column = self.column(node)
            if not pd.api.types.is_bool_dtype(column):
                raise UserError(f"{column.name} is not yes or no: compare it with a value")
            return column.astype("boolean")
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
            return reduce(operator.and_, (self.comparison(parts[i], parts[i + 1], op) for i, op in enumerate(node.ops)))
        raise UserError(
            f"a filter compares columns with values, joined by and, or, not; it cannot hold {ast.unparse(node)!r}"
        )

    def comparison(self, left: ast.expr, right: ast.expr, op: ast.cmpop) -> pd.Series:
        kind = type(op)
        if isinstance(right, ast.Name) and not isinstance(left, ast.Name):
            left, right, kind = right, left, _FLIPPED.get(kind, kind)
        if not isinstance(left, ast.Name):
            raise UserError(f"{ast.unparse(left)!r} is not a column: compare a column with a value")
        column = self.column(left)
        if kind in (ast.In, ast.NotIn):
            if not isinstance(right, ast.Tuple | ast.List | ast.Set):
                raise UserError(f"write the values of {column.name} in brackets: {column.name} in ('a', 'b')")
            values = [self.value(column, element, ast.Eq) for element in right.elts]
            fits = column.isin(values)
            fits = ~fits if kind is ast.NotIn else fits
        elif kind in _COMPARISONS:
            fits = _COMPARISONS[kind](column, self.value(column, right, kind))
        else:
            raise UserError("a filter compares by ==, !=, <, <=, >, >=, in and not in")
        return fits.astype("boolean").mask(column.isna(), pd.NA)

    def column(self, node: ast.Name) -> pd.Series:
        name = self.names.get(node.id, node.id)
        if name in self.table and name != "status":
            return self.table[name]
        known = [column for column in self.table.columns if column != "status"]
        close = difflib.get_close_matches(name.lower(), [column.lower() for column in known], 1, 0.6)
        hint = next((f"did you mean {column}?" for column in known if [column.lower()] == close), "")
        if name in COLUMNS:
            hint = "this data set has no value of it for any face"
        raise UserError(f"no column is called {name}: {hint or 'there are ' + ', '.join(known)}")

    @staticmethod
    def value(column: pd.Series, node: ast.expr, kind: type[ast.cmpop]) -> Any:
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise UserError(
                f"{ast.unparse(node)!r} is not a value: write text in quotation marks, or a number"
            ) from None
        ordered = kind not in (ast.Eq, ast.NotEq)
        if pd.api.types.is_bool_dtype(column):
            if ordered or not isinstance(value, int) or value not in (0, 1):
                raise UserError(f"{column.name} is yes or no: write {column.name} or not {column.name}")
            return bool(value)
        if isinstance(column.dtype, pd.CategoricalDtype):
            if ordered:
                raise UserError(f"{column.name} has no order: compare it by == or in")
            known = [str(category) for category in column.cat.categories]
            if value not in known:
                raise UserError(f"no face has {column.name} {value!r}: there are {_listed(known)}")
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"{column.name} is a number: {value!r} is not")
        return value


def _listed(values: list[str]) -> str:
    """The values that there are, or how many there are beyond the first ones."""
    shown = ", ".join(map(repr, values[:_SHOWN]))
    return shown if len(values) <= _SHOWN else f"{shown} and {len(values) - _SHOWN:,} more"


def check_subset(table: pd.DataFrame, rows: np.ndarray, name: str) -> None:
    """Refuse a subset whose average could show a person.

    Parameters
    ----------
    table
        As from `load_table`, or a manifest.
    rows
        bool (image,): the subset.
    name
        What it is called in the message.

    Raises
    ------
    UserError
        If it has fewer than 16 faces, or they are known to be of fewer than 16 people.
    """
    check_size(int(rows.sum()), name, people=count_people(table, rows))


def count_people(table: pd.DataFrame, rows: np.ndarray) -> int | None:
    """Number of people in a subset; None if the data set has no identities."""
    if "identity" not in table:
        return None
    known = table.loc[rows, "identity"]
    return int(known.nunique() + known.isna().sum())
