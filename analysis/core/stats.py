"""Intervals of shares that are counted. Knows counts; the bootstrap over people is in `analysis.core.people`."""

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
        Low and high end, in [0, 1].
    """
    interval = binomtest(positives, images).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
