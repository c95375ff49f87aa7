"""Measures of faces as histograms: how values are binned, and how they are written for a reader.

Knows nothing of selections or of Panel.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.shape.geometry import DISTANCES

BINS = 40  # of a histogram, at most
_ROUNDED = 1000  # values of a measure, below which it is taken to be rounded


@dataclass(frozen=True)
class Scale:
    """What a measure is called and how its values are written.

    Attributes
    ----------
    name
        Its name.
    about
        What its numbers mean.
    write
        Writes a value, without a unit that `unit` has.
    script
        The same in JavaScript, for a value ``tick``: axes and handles are written by the browser.
    unit
        Stands after numbers, once for a range.
    powers
        Whether values are the logarithms, to base 10, of what is written.
    """

    name: str
    about: str
    write: Callable[[float], str]
    script: str
    unit: str = ""
    powers: bool = False

    def range(self, low: float, high: float) -> str:
        """Write a range: "12 to 34 years"."""
        return f"{self.write(low)} to {self.write(high)}{self.unit}"


def _share(name: str, about: str) -> Scale:
    script = "return `${Math.min(100, Math.max(0, Math.round(100 * tick)))} %`"
    return Scale(name, about, lambda value: f"{min(100, max(0, round(100 * value)))} %", script)


def _degrees(name: str, about: str) -> Scale:
    script = "return `${Math.round(tick)}°`.replace('-', '−')"
    return Scale(name, about, lambda value: f"{round(value)}°".replace("-", "−"), script)


def _ratio(name: str, about: str) -> Scale:
    return Scale(name, about, lambda value: f"{value:.2f}", "return tick.toFixed(2)")


SCALES = {  # column of the faces -> how it is written
    "p_male": _share(
        "Probability of “male”", "that an annotator would say “male”, as the model answers: 0 % is surely female"
    ),
    "age": Scale(
        "Age",
        "as annotated or estimated by the data set",
        lambda value: f"{round(value)}",
        "return tick.toFixed(0)",
        " years",
    ),
    "brightness": _share("Brightness", "average of the picture: 0 % is black, 100 % white"),
    "contrast": _share(
        "Contrast",
        "standard deviation of the brightness within the picture: 0 % is one grey, 50 % half black, half white",
    ),
    "sharpness": Scale(
        "Sharpness",
        "variance of the Laplacian, by which pixels differ from those around them: small is blurred; each step on the "
        "axis is ten times the last",
        lambda value: f"{float(f'{10**value:.2g}'):,.0f}",
        "return Number((10 ** tick).toPrecision(2)).toLocaleString('en-US', {maximumFractionDigits: 0})",
        powers=True,
    ),
    "yaw": _degrees(
        "Turn of the head", "0° looks straight ahead, above to the left of the picture, below to its right"
    ),
    "pitch": _degrees("Nod of the head", "0° is the average head, above looks down, below looks up"),
}
"""Measures with a histogram, as far as a run has them; distances of the face come on top."""


def distance_scale(name: str) -> Scale:
    """Say how a distance of the face is written; see `analysis.shape.geometry.DISTANCES`."""
    title, about = f"{name[0].upper()}{name[1:]}", DISTANCES.get(name, "")
    if about.endswith(", in degrees"):
        return _degrees(title, about.removesuffix(", in degrees"))
    if about.endswith(", a ratio"):
        return _ratio(title, about)
    return _ratio(title, "; ".join(filter(None, [about, "1.00 is the distance between the pupils"])))


@dataclass(frozen=True)
class Measure:
    """A measure of the faces.

    Attributes
    ----------
    scale
        How it is written.
    values
        float32 (face,); NaN where it is not known.
    edges
        float64 (bin + 1,): edges of the bins, 40 at most.
    bins
        uint8 (face,): bin of each face; one more than the last where it is not known.
    """

    scale: Scale
    values: np.ndarray
    edges: np.ndarray
    bins: np.ndarray

    def range(self, ends: tuple[float, float] | None = None) -> str:
        """Write a range with its unit; that of all values where none is given."""
        return self.scale.range(*(ends or (float(np.nanmin(self.values)), float(np.nanmax(self.values)))))

    @classmethod
    def of(cls, scale: Scale, values: np.ndarray) -> "Measure":
        """Bin values between their extremes, or their outermost thousandths where these are far closer together.

        Stored values are rounded: each bin holds as many of their steps as the next, so that no comb appears.
        """
        known = np.unique(values[np.isfinite(values)])
        low, high = (float(end) for end in np.nanquantile(values, [0.001, 0.999]))
        if high - low > 0.5 * (known[-1] - known[0]):
            low, high = float(known[0]), float(known[-1])
        step = float(np.diff(known).min()) if 1 < len(known) < _ROUNDED else 0.0
        width = max((high - low) / BINS, 1e-3)
        if step:
            width = step * np.ceil(width / step - 1e-6)
            low, high = low - step / 2, high + step / 2
        edges = low + width * np.arange(int(np.ceil((high - low) / width - 1e-6)) + 1)
        if len(edges) < 2:
            edges = np.array([low, low + width])
        bins = np.clip(np.digitize(values, edges) - 1, 0, len(edges) - 2)
        bins = np.where(np.isfinite(values), bins, len(edges) - 1).astype(np.uint8)
        return cls(scale, values.astype(np.float32), edges, bins)

    def counts(self, chosen: np.ndarray | None = None) -> np.ndarray:
        """Share of the faces that are in each bin, of those whose value is known, in %."""
        bins = len(self.edges) - 1
        count = np.bincount(self.bins if chosen is None else self.bins[chosen], minlength=bins + 1)[:bins]
        return 100 * count / max(1, count.sum())

    def inside(self, low: float, high: float) -> np.ndarray:
        """Whether each face lies between two values; the outermost bins hold what lies beyond them, too."""
        step = (self.edges[1] - self.edges[0]) / 2
        above = self.values >= (low if low > self.edges[0] + step * 1e-6 else -np.inf)
        below = self.values <= (high if high < self.edges[-1] - step * 1e-6 else np.inf)
        return above & below
