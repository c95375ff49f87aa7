from . import averages, core, data, figures, hypothesis, report, results, study

__all__ = [
    "averages",
    "core",
    "data",
    "figures",
    "hypothesis",
    "report",
    "results",
    "study",
]
