"""Averages of two subsets, their difference with its standard error, and a gallery of named subsets."""

import re
from html import escape

import holoviews as hv
import numpy as np
import xarray as xr

from analysis.averages.base import Difference
from analysis.core.words import percent, signed
from analysis.figures import theme
from analysis.figures.faces import LUMA, place, side_by_side, signed_map
from analysis.figures.grid import picture_grid
from analysis.figures.guide import guided
from analysis.figures.html import PageHtml
from analysis.results.records import Agreement

SAME = "The two averages are the same."
APART = (  # filled by `apart`, and by the browser
    "{what} differ most in the {place}, where the first is {most} of 255 steps {way} (standard error {error}); over "
    "all pixels they are {mean} steps apart on average, with a standard error of {errors}."
)


def subset_faces(difference: Difference) -> hv.Overlay:
    """Averages of two subsets, side by side.

    Parameters
    ----------
    difference
        As from `analysis.averages.base.compare`.
    """
    averages = {
        f"first\nn = {difference.first.count:,}": difference.first.mean,
        f"second\nn = {difference.second.count:,}": difference.second.mean,
    }
    return side_by_side(averages, "How do the averages look?")


def subset_faces_reading(difference: Difference) -> str:
    """Counts, standard errors, and the number of faces in both subsets."""
    parts = [
        f"{average.count:,} faces with a standard error of {255 * float(average.sem.mean()):.2f} of 255 steps on "
        "average"
        for average in (difference.first, difference.second)
    ]
    shared = {0: "no face is", 1: "one face is"}.get(difference.shared, f"{difference.shared:,} faces are")
    return f"First {parts[0]}, second {parts[1]}; {shared} in both. Photos are treated as independent."


def subset_luma(difference: Difference) -> tuple[np.ndarray, np.ndarray]:
    """Luma of the first average minus that of the second, and its standard error, (y, x), in grey levels (0 to 255).

    The standard error is an upper bound: it assumes that the errors of the three channels are fully correlated, which
    is nearly true.
    """
    weights = LUMA.to_numpy()
    return 255 * (difference.difference @ weights), 255 * (difference.sem @ weights)


def subset_difference_reading(difference: Difference) -> str:
    """Where two averages differ most, and by how much, with standard errors."""
    values, errors = subset_luma(difference)
    if not values.any():
        return SAME
    y, x = np.unravel_index(np.abs(values).argmax(), values.shape)
    numbers = values[y, x], errors[y, x], np.abs(values).mean(), errors.mean()
    return apart("The averages", place(values), *map(float, numbers))


def apart(what: str, where: str, most: float, error: float, mean: float, errors: float) -> str:
    """Where two averages differ most, and by how much, with standard errors.

    Parameters
    ----------
    what
        The two averages.
    where
        Part of the picture where they differ most.
    most, error
        By how much the first is lighter there, with its standard error.
    mean, errors
        Mean absolute difference, and mean standard error.
    """
    way = "lighter" if most > 0 else "darker"
    numbers = {"most": abs(most), "error": error, "mean": mean, "errors": errors}
    return APART.format(what=what, place=where, way=way, **{name: f"{value:.1f}" for name, value in numbers.items()})


def subset_effect(difference: Difference) -> np.ndarray:
    """Hedges' g of the luma of two averages, (y, x), first minus second.

    Unlike a difference in standard errors, it does not grow with the number of faces. It is a lower bound: like
    `subset_luma`, it takes the three channels as fully correlated.
    """
    weights = LUMA.to_numpy()
    (first, of_first), (second, of_second) = (
        (average.spread @ weights, average.count - 1) for average in (difference.first, difference.second)
    )
    pooled = np.sqrt((of_first * first**2 + of_second * second**2) / (of_first + of_second))
    small = 1 - 3 / (4 * (of_first + of_second) - 1)  # Hedges' correction
    return small * np.divide(difference.difference @ weights, pooled, out=np.zeros_like(pooled), where=pooled > 0)


def subset_effect_reading(difference: Difference) -> str:
    """The largest effect between two averages, and where it is."""
    effect = subset_effect(difference)
    largest = effect.flat[np.abs(effect).argmax()]
    return (
        f"The largest effect is g = {signed(float(largest))} standard deviations of the faces, in the {place(effect)}."
    )


@guided(
    "The stronger the colour, the less likely chance makes such a difference. Many photos make even small "
    "differences certain: compare with the map of the difference itself.",
    view="faces?view=effect",
)
def subset_certainty(difference: Difference, colours: list[str] = theme.OPPOSED) -> hv.Image:
    """Luma difference of two averages in standard errors, on a diverging scale; colours as in `signed_map`."""
    values, errors = subset_luma(difference)
    ratio = np.divide(values, errors, out=np.zeros_like(values), where=errors > 0)
    limit = float(max(3.0, np.abs(ratio).max()))
    return signed_map(
        ratio, "How certain is the difference?", "Luma, first − second", "standard errors", limit, colours
    )


def subset_certainty_reading(difference: Difference) -> str:
    """Share of the picture where the difference is larger than 1.96 standard errors."""
    values, errors = subset_luma(difference)
    beyond = float((np.abs(values) > 1.96 * errors).mean())
    return (
        f"In {percent(beyond, 0)} of the picture the averages are more than 1.96 standard errors apart; about 5 % is "
        "expected by chance. This is not corrected for multiple comparisons: the hypothesis page is."
    )


def spelled(name: str) -> str:
    """Name of a subset as one writes it: its attributes come without the apostrophe of "o’clock"."""
    return re.sub(r"\bo clock\b", "o’clock", name)


def gallery(subsets: xr.Dataset, names: dict[str, str]) -> PageHtml:
    """Small averages of named subsets in a grid.

    Parameters
    ----------
    subsets
        ``mean`` in [0, 1] (subset, y, x, channel) and ``count`` (subset).
    names
        Name of each subset, in order -> caption.
    """
    pictures = []
    for name, caption in names.items():
        one = subsets.sel(subset=name)
        pixels = (255 * one["mean"].transpose("y", "x", "channel").clip(0, 1)).round().astype(np.uint8).to_numpy()
        pictures.append(
            (pixels, f"Average face: {spelled(name)}", f"{escape(spelled(caption))}<br>n = {int(one['count']):,}")
        )
    return picture_grid(pictures)


def parts_of(subsets: xr.Dataset, label: str) -> dict[str, str]:
    """Subsets of a label by attribute, age or race: name -> what its faces have in common."""
    names = [str(name) for name in subsets["subset"].values]
    parts = {name: name.removeprefix(f"{label}, ") for name in names if name.startswith(f"{label}, ")}
    return {name: part for name, part in parts.items() if not name.endswith(" split")}  # a split is no feature


def gallery_reading(subsets: xr.Dataset, label: str) -> str:
    """The subsets of a label whose averages are farthest from and nearest to the average of the label."""
    own = subsets["mean"].sel(subset=label)
    names, parts = list(parts_of(subsets, label)), list(parts_of(subsets, label).values())
    if not names:
        return f"No group of those labelled {label} is large enough to be shown."
    apart = 255 * np.sqrt(((subsets["mean"].sel(subset=names) - own) ** 2).mean(("y", "x", "channel")))
    far, near = (spelled(parts[int(at)]) for at in (np.argmax(apart.data), np.argmin(apart.data)))
    return (
        f"Of those labelled {label}, the average of “{far}” is farthest from that of all ({float(apart.max()):.1f} of "
        f"255 steps, root mean square), the one of “{near}” nearest ({float(apart.min()):.1f})."
    )


def agreement_reading(engines: Agreement) -> str:
    """How the compressed averages are computed, and their error.

    Parameters
    ----------
    engines
        As from `analysis.averages.gallery.measure_agreement`.
    """
    numbers = engines.mean_components + engines.spread_components
    text = (
        f"The averages on this page are exact. Other groups are averaged quickly from a compressed form: {numbers} "
        f"coefficients of 8 bits represent each of the {engines.images:,} faces, and their mean is the compressed "
        "mean face."
    )
    if engines.subsets:
        text += (
            f" Over {engines.subsets} groups of {engines.exact_below:,} faces or more, it "
            f"is at most {engines.worst_mean:.2f} of 255 steps from the exact mean (root mean square; median "
            f"{engines.median_mean:.2f}) and at most {engines.worst_spread:.2f} from the exact standard "
            "deviation."
        )
    return f"{text} Averages of smaller groups are always exact."
