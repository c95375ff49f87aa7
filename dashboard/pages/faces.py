"""The page of the average faces: any two of them, blended and compared."""

from collections.abc import Collection
from functools import partial
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from analysis.averages.source import LiveSubsets, subset_source
from analysis.core.errors import UserError
from analysis.figures import faces, subsets
from dashboard import chrome, parts
from dashboard.pages.everyone import Everyone, distance_effects, everyone
from dashboard.pages.groups import Groups
from dashboard.pages.lab import VIEWS, Lab
from dashboard.pages.prototypes import prototypes
from dashboard.parts import View

SPREAD = View("", faces.spread_faces, faces.spread_faces_reading, "average_faces")


def _follow(box: pmui.TextInput, event: param.parameterized.Event) -> None:
    box.value = event.new


class FacesPage(chrome.ExplorerPage):
    """The averages of any two subsets, blended and compared, and how the faces of each label vary."""

    first = param.String(default="label == 'male'", doc="Filter of the first group.")
    second = param.String(default="label == 'female'", doc="Filter of the second group.")
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
        self._groups: Groups | None = None
        try:
            source = subset_source(shared.results)
        except UserError:
            return  # a notice says so where the averages would be shown
        found = self._everyone()
        self._groups = Groups(source, found)
        self._any = found is not None or isinstance(source, LiveSubsets)

    def _everyone(self) -> Everyone | None:
        try:
            return everyone(self.results)
        except UserError:
            return None

    def spoilt(self, values: dict[str, Any], refused: set[str]) -> Collection[str]:
        """Filters that mean nothing are none; see `dashboard.address`."""
        return [name for name in ("first", "second") if self._groups and not self._groups.is_filter(values[name])]

    def _lab(self) -> Any:
        if self._groups is None:
            subset_source(self.results)  # says what is missing
        assert self._groups is not None
        groups = self._groups
        state: dict[str, Any] = {name: getattr(self, name) for name in self.in_url}
        lab = Lab(self.results.subsets, groups.choices(), prototypes=prototypes(self.results), **state)
        names: dict[str, Any] = {name: name for name in self.in_url}
        lab.link(self, bidirectional=True, **names)

        def compared(first: str, second: str) -> Any:
            try:
                found, how = groups.compare(first, second)
            except UserError as error:
                lab.refuse(str(error), first, second)
                return parts.nothing()
            lab.compare(found, self._distances(first, second))
            return parts.text(
                f"{subsets.subset_faces_reading(found)} {subsets.subset_difference_reading(found)} "
                f"{subsets.subset_effect_reading(found)} {how}"
            )

        reading = pn.panel(
            parts.or_notice(pn.bind(compared, self.param.first, self.param.second)), sizing_mode="stretch_width"
        )
        own = [self._filters()] if self._any else []
        return parts.stack(lab, reading, *own, gap=16)

    def _distances(self, first: str, second: str) -> list[dict[str, Any]]:
        """Effect in each distance of the face between two subsets; empty where the run does not know them."""
        try:
            found = everyone(self.results)
            distances = {name: found.measures[name].values for name in found.distances}
            assert self._groups is not None  # the run publishes averages
            return distance_effects(distances, self._groups.rows(first), self._groups.rows(second))
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
            "A filter says what the chips cannot. It compares columns with values, joined by `and`, `or` and `not`: "
            "`Smiling or not Eyeglasses`, `split == 'test'`, `p_male > 0.9`, `yaw < -20`. It is about the data set of "
            "the study unless it names others, as in `dataset == 'utkface'`. An average of fewer than 16 faces is not "
            "shown."
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
