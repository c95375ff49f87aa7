from . import compute, paths, people, schema, spreadsheet, stats, storage, words, zarr_zip
from .errors import UserError

__all__ = [
    "UserError",
    "compute",
    "paths",
    "people",
    "schema",
    "spreadsheet",
    "stats",
    "storage",
    "words",
    "zarr_zip",
]
