"""The page of the average faces: any two of them, blended and compared."""

from functools import partial
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from analysis.averages.filters import select
from analysis.averages.source import LiveSubsets, PublishedSubsets, subset_source
from analysis.core.errors import UserError
from analysis.figures import faces, subsets
from dashboard import chrome, parts
from dashboard.pages.everyone import distance_effects, everyone
from dashboard.pages.lab import VIEWS, Lab
from dashboard.pages.prototypes import prototypes
from dashboard.parts import View

SPREAD = View("", faces.spread_faces, faces.spread_faces_reading, "average_faces")


def _follow(box: pmui.TextInput, event: param.parameterized.Event) -> None:
    box.value = event.new


class FacesPage(chrome.ExplorerPage):
    """The averages of any two subsets, blended and compared, and how the faces of each label vary."""

    first = param.Selector(default="label == 'male'", objects=[], check_on_set=False, doc="Filter of the first subset.")
    second = param.Selector(
        default="label == 'female'", objects=[], check_on_set=False, doc="Filter of the second subset."
    )
    view = param.Selector(objects=list(VIEWS), doc="How to show the two.")
    blend = param.Integer(default=50, bounds=(-50, 150), doc="Share of the first in the blend, %.")

    shape = param.Integer(default=100, bounds=(-50, 150), doc="Share of the men's shape, %.")
    texture = param.Integer(default=0, bounds=(-50, 150), doc="Share of the men's texture, %.")

    path = "/explore/faces"
    title = "Average faces"
    lead = (
        "Aligned faces, averaged pixel by pixel. An average is nobody's face: it keeps what faces of a group have in "
        "common, light, hair and background included. Choose two, blend them, and see where they differ."
    )
    in_url = ("first", "second", "view", "blend", "shape", "texture")

    def __init__(self, shared: chrome.Shared, **params: Any) -> None:
        super().__init__(shared, **params)
        try:
            source = subset_source(shared.results)
        except UserError:
            return  # a notice says so where the averages would be shown
        if isinstance(source, PublishedSubsets):  # no others can be shown: an address that names one is corrected
            for name in ("first", "second"):
                self.param[name].objects = source.subsets["filter"].values.tolist()
                self.param[name].check_on_set = True

    def _lab(self) -> Any:
        source = subset_source(self.results)
        state: dict[str, Any] = {name: getattr(self, name) for name in self.in_url}
        lab = Lab(self.results.subsets, prototypes=prototypes(self.results), **state)
        names: dict[str, Any] = {name: name for name in self.in_url}
        lab.link(self, bidirectional=True, **names)

        def compared(first: str, second: str) -> Any:
            found = source.compare(first, second)
            lab.compare(found, self._distances(first, second))
            return parts.text(
                f"{subsets.subset_faces_reading(found)} {subsets.subset_difference_reading(found)} "
                f"{subsets.subset_effect_reading(found)}"
            )

        reading = pn.panel(
            parts.or_notice(pn.bind(compared, self.param.first, self.param.second)), sizing_mode="stretch_width"
        )
        own = [self._filters()] if isinstance(source, LiveSubsets) else []
        return parts.stack(lab, reading, *own, gap=16)

    def _distances(self, first: str, second: str) -> list[dict[str, Any]]:
        """Effect in each distance of the face between two subsets; empty where the run does not know them."""
        try:
            found = everyone(self.results)
            rows = found.of_studied
            own = (found.rows["dataset"] == found.studied).to_numpy()
            distances = {name: found.measures[name].values[own] for name in found.distances}
            return distance_effects(distances, select(rows, first), select(rows, second))
        except UserError:  # no row for each image, or a filter of what these rows do not have
            return []

    def _filters(self) -> Any:
        boxes = [
            pmui.TextInput(label=f"Filter of the {which} group", value=getattr(self, which), width=340, margin=0)
            for which in ("first", "second")
        ]
        for which, box in zip(("first", "second"), boxes, strict=True):
            box.link(self, value=which)
            self.param.watch(partial(_follow, box), which)
        note = (
            "A filter compares columns with values, joined by `and`, `or` and `not`: `Smiling and not Eyeglasses`, "
            "`split == 'test'`, `confidence > 0.9`. An average of fewer than 16 faces is not shown."
        )
        return parts.stack(parts.controls(*boxes), parts.text(note), gap=10)

    def content(self) -> list[Any]:
        """List the two averages, and how faces vary."""
        return [
            parts.or_notice(self._lab)(),
            parts.section(
                "Where faces of a label vary", SPREAD.later(self), about="The standard deviation of each pixel."
            ),
        ]
