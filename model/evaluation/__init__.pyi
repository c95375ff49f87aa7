from . import (
    calibration,
    cells,
    cross_source,
    curves,
    evaluate,
    explain,
    fairness,
    paired,
    peers,
    promise,
    robustness,
    scores,
)
from .looks import looks_at_test
from .middle import middle_scores
from .network_map import face_map
from .robustness import Degradation
from .scores import TrainedRun

__all__ = [
    "Degradation",
    "TrainedRun",
    "calibration",
    "cells",
    "cross_source",
    "curves",
    "evaluate",
    "explain",
    "face_map",
    "fairness",
    "looks_at_test",
    "middle_scores",
    "paired",
    "peers",
    "promise",
    "robustness",
    "scores",
]
