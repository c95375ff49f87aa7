from . import artifacts, publish, records
from .reader import Results, Run, published
from .stored import Arrays, Binary, Column, Json, Table, Variable

__all__ = [
    "Arrays",
    "Binary",
    "Column",
    "Json",
    "Results",
    "Run",
    "Table",
    "Variable",
    "artifacts",
    "publish",
    "published",
    "records",
]
