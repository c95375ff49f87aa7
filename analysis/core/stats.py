"""Intervals and tests of counts; the bootstrap over people is in `analysis.core.people`."""

from scipy.stats import binomtest


def wilson(positives: int, images: int) -> tuple[float, float]:
    """95 % Wilson interval of a share.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22(158), 1927.

    Parameters
    ----------
    positives, images
        Counts; ``images`` above 0.

    Returns
    -------
    tuple of float
        Lower and upper end, in [0, 1].
    """
    interval = binomtest(positives, images).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def clopper_pearson(positives: int, images: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share, whose coverage is at least its level however few the images.

    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26(4), 1934.

    Parameters
    ----------
    positives, images
        Counts; ``images`` above 0.
    level
        Confidence level, in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper end, in [0, 1].
    """
    interval = binomtest(positives, images).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


def sidak(level: float, intervals: int) -> float:
    """Level of each of several independent intervals that have a simultaneous coverage of ``level``.

    Šidák, "Rectangular confidence regions for the means of multivariate normal distributions", JASA 62(318), 1967.

    Parameters
    ----------
    level
        Simultaneous coverage, in (0, 1).
    intervals
        Number of intervals; at least 1.

    Returns
    -------
    float
        In [level, 1).
    """
    return float(level ** (1 / intervals))


def sign_test(gained: int, lost: int) -> float:
    """Two-sided p value of the sign test: gain and loss are equally likely under the null hypothesis.

    For pairs of right and wrong answers it is the exact test of McNemar, "Note on the sampling error of the difference
    between correlated proportions or percentages", Psychometrika 12(2), 1947.

    Parameters
    ----------
    gained, lost
        Counts, without ties.

    Returns
    -------
    float
        P value, in (0, 1]; 1 if both counts are 0.
    """
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
