from . import compute, memory, paths, people, schema, spreadsheet, stats, storage, words, zarr_zip
from .errors import UserError

__all__ = [
    "UserError",
    "compute",
    "memory",
    "paths",
    "people",
    "schema",
    "spreadsheet",
    "stats",
    "storage",
    "words",
    "zarr_zip",
]
