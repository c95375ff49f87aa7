from .aggregates import Aggregates
from .base import Average, Difference, Engine, check_size, compare, difference
from .compressed import CompressedEngine, open_engine
from .exact import ExactEngine, average_faces
from .filters import check_subset, count_people, load_table, select
from .fit import build_engine
from .gallery import build_gallery, compare_published, measure_agreement, named_subsets
from .grouping import Aggregated, aggregate
from .source import LiveSubsets, PublishedSubsets, predictions_of, subset_source

__all__ = [
    "Aggregated",
    "Aggregates",
    "Average",
    "CompressedEngine",
    "Difference",
    "Engine",
    "ExactEngine",
    "LiveSubsets",
    "PublishedSubsets",
    "aggregate",
    "average_faces",
    "build_engine",
    "build_gallery",
    "check_size",
    "check_subset",
    "compare",
    "compare_published",
    "count_people",
    "difference",
    "load_table",
    "measure_agreement",
    "named_subsets",
    "open_engine",
    "predictions_of",
    "select",
    "subset_source",
]
