"""Two average faces to blend and to compare: what the browser needs for that, which does the rest; see lab.mjs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import panel as pn
import param
import xarray as xr
from PIL import Image

from analysis.averages.base import Average, Difference
from analysis.figures import subsets
from analysis.figures.theme import OPPOSED
from analysis.hypothesis.regions import REGIONS, region_map
from dashboard import parts
from dashboard.pages.pixels import as_text, fitted

VIEWS = ("blend", "beside", "difference", "effect", "shape", "displacement", "distances")
PAIRS = {  # name -> first and second subset; offered where the run publishes both
    "Men and women": ("male", "female"),
    "Smiling men and women": ("male, smiling", "female, smiling"),
    "Young men and women": ("male, young", "female, young"),
    "Heavy make-up and all women": ("female, heavy makeup", "female"),
    "Eyeglasses and all men": ("male, eyeglasses", "male"),
    "High cheekbones and all women": ("female, high cheekbones", "female"),
}
_SMALL = (45, 55)  # pixels of a small average


class Lab(pn.custom.JSComponent):
    """Trays of small averages, and the two that were chosen from them.

    Parameters
    ----------
    published
        As from `analysis.averages.gallery.build_gallery`: the averages of the trays.
    choices
        What groups can be filtered by; see `dashboard.pages.groups.Groups.choices`.
    **params
        ``first``, ``second``, ``view``, ``blend``, ``shape``, ``texture`` and ``prototypes``, and what
        `panel.custom.JSComponent` takes.
    """

    first = param.String(doc="Filter of the first subset.")
    second = param.String(doc="Filter of the second.")
    view = param.Selector(objects=list(VIEWS), doc="How to show the two.")
    blend = param.Integer(
        default=50, bounds=(-50, 150), doc="Share of the first in the blend, %; beyond 0 and 100 too."
    )
    shape = param.Integer(default=100, bounds=(-50, 150), doc="Share of the men's shape in the shape and texture, %.")
    texture = param.Integer(default=0, bounds=(-50, 150), doc="Share of the men's texture, %.")
    prototypes = param.Dict(default={}, doc="Shape and texture of women and men; see `dashboard.pages.prototypes`.")
    pair = param.Dict(default={}, doc="Both averages and their difference, as the browser reads them.")
    presets = param.List(doc="Name, filter and picture of each average in the trays.")
    pairs = param.List(doc="Name and both filters of pairs that are worth a look.")
    choices = param.List(doc="What each data set can be filtered by.")
    problem = param.String(doc="Why the chosen two cannot be shown; empty where they are.")
    frame = param.Dict(doc="Size, parts and colours of the maps.")

    _esm = parts.script("lab")

    def __init__(self, published: xr.Dataset, choices: list[dict[str, Any]], **params: Any) -> None:
        names, filters = published["subset"].values.tolist(), published["filter"].values.tolist()
        means = published["mean"].transpose("subset", "y", "x", "channel").to_numpy()
        by_name = dict(zip(names, filters, strict=True))
        super().__init__(
            choices=choices,
            presets=[
                {"name": name, "filter": filter_, "src": _small(mean)}
                for name, filter_, mean in zip(names, filters, means, strict=True)
            ],
            pairs=[
                {"name": name, "first": by_name[first], "second": by_name[second]}
                for name, (first, second) in PAIRS.items()
                if first in by_name and second in by_name
            ],
            frame={
                "width": means.shape[2],
                "height": means.shape[1],
                "regions": list(REGIONS),
                "region": as_text(fitted(region_map(), means.shape[1:3]).astype(np.uint8)),
                "colours": OPPOSED,
            },
            stylesheets=[parts.theme_css()],
            css_classes=["lab"],
            sizing_mode="stretch_width",
            margin=0,
            **params,
        )

    def compare(self, compared: Difference, distances: Sequence[dict[str, Any]] = ()) -> None:
        """Show two averages, those of ``first`` and ``second``.

        Parameters
        ----------
        compared
            The averages.
        distances
            ``name``, ``g``, ``low`` and ``high`` of each distance of the face, first minus second, where it is known.
        """
        difference, _ = subsets.subset_luma(compared)
        self.problem = ""
        self.pair = {
            "first": _average(compared.first, self.first),
            "second": _average(compared.second, self.second),
            "difference": as_text(difference.astype(np.float32)),
            "effect": as_text(subsets.subset_effect(compared).astype(np.float32)),
            "distances": list(distances),
        }

    def refuse(self, problem: str, first: str, second: str) -> None:
        """Say why two averages cannot be shown."""
        self.problem = problem
        self.pair = {"first": {"filter": first}, "second": {"filter": second}}


def _average(average: Average, filter_: str) -> dict[str, Any]:
    return {"filter": filter_, "count": average.count, "pixels": as_text(_pixels(average.mean))}


def _pixels(mean: np.ndarray) -> np.ndarray:
    return (255 * mean.clip(0, 1)).round().astype(np.uint8)


def _small(mean: np.ndarray) -> str:
    return parts.jpeg_url(np.asarray(Image.fromarray(_pixels(mean)).resize(_SMALL, Image.Resampling.LANCZOS)))
