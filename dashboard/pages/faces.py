"""The page of the average faces."""

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from analysis.averages.source import LiveSubsets, subset_source
from analysis.figures import faces, subsets
from dashboard import chrome

_OWN = "a filter of your own"


class FacesPage(chrome.ExplorerPage):
    """The average face of each label, how they spread and differ, and the averages of any two subsets."""

    view = param.Selector(
        objects={"Average": "average", "Spread": "spread", "Difference": "difference"}, doc="What is shown."
    )
    first = param.String("label == 'female'", doc="Filter of the first subset.")
    second = param.String("label == 'male'", doc="Filter of the second subset.")
    contrast = param.Selector(
        objects={"Difference": "difference", "In standard errors": "certainty"}, doc="How the difference is shown."
    )

    path = "/explore/faces"
    title = "Faces"
    lead = (
        "Aligned faces, averaged pixel by pixel. An average is nobody's face: it keeps what faces of a label have in "
        "common, light, hair and background included."
    )
    in_url = ("view", "first", "second", "contrast")

    @param.depends("view")
    def _figure(self) -> Any:
        draw, read = {
            "average": (faces.average_faces, faces.average_faces_reading),
            "spread": (faces.spread_faces, faces.spread_faces_reading),
            "difference": (faces.difference_map, faces.difference_map_reading),
        }[self.view]
        return chrome.attempt(lambda: chrome.figure(draw(self.results.average_faces), read(self.results.average_faces)))

    def _facts(self) -> Any:
        count = self.results.average_faces["count"]
        size = self.results.average_faces.sizes
        return chrome.facts(
            {f"Faces labelled {label}": f"{int(count.sel(label=label)):,}" for label in count["label"].values}
            | {"Frame": (f"{size['x']} × {size['y']}", "pixels, eyes and mouth aligned")}
        )

    def _choosers(self) -> Any:
        source, published = subset_source(self.results), self.results.subsets
        named = dict(zip(published["subset"].values.tolist(), published["filter"].values.tolist(), strict=True))
        live = isinstance(source, LiveSubsets)
        note = (
            "A filter compares columns with values, joined by `and`, `or` and `not`: `Smiling and not Eyeglasses`, "
            "`split == 'test'`, `confidence > 0.9`."
            if isinstance(source, LiveSubsets)
            else f"Only the published averages can be chosen: {source.reason}."
        )
        return pn.Column(
            chrome.controls(*(self._chooser(which, named, live) for which in ("first", "second"))),
            chrome.text(note),
            sizing_mode="stretch_width",
            margin=0,
            styles={"gap": "10px"},
        )

    def _chooser(self, which: str, named: dict[str, str], any_filter: bool) -> pn.Column:
        """Choose a subset by its name or, where the data is here, by a filter."""
        names = {filter_: name for name, filter_ in named.items()}
        select = pmui.Select(
            label=f"{which.capitalize()} subset",
            options=[*named, _OWN] if any_filter else [*named],
            value=names.get(getattr(self, which), _OWN if any_filter else None),
            searchable=True,
            width=300,
            margin=0,
        )

        def name_chosen(event: Any) -> None:
            if event.new in named:
                setattr(self, which, named[event.new])

        def filter_changed(event: Any) -> None:
            select.value = names.get(event.new, _OWN if any_filter else None)

        select.param.watch(name_chosen, "value")
        self.param.watch(filter_changed, which)
        parts: list[Any] = [select]
        if any_filter:
            label = f"Filter of the {which} subset"
            parts.append(pmui.TextInput.from_param(self.param[which], label=label, description="", width=300, margin=0))
        return pn.Column(*parts, margin=0, styles={"gap": "14px"})

    @param.depends("first", "second", "contrast")
    def _comparison(self) -> Any:
        def make() -> Any:
            found = subset_source(self.results).compare(self.first, self.second)
            draw, read = {
                "difference": (subsets.subset_difference, subsets.subset_difference_reading),
                "certainty": (subsets.subset_certainty, subsets.subset_certainty_reading),
            }[self.contrast]
            return pn.FlexBox(
                _half(chrome.figure(subsets.subset_faces(found), subsets.subset_faces_reading(found))),
                _half(chrome.figure(draw(found), read(found))),
                gap="24px",
                sizing_mode="stretch_width",
                margin=0,
            )

        return chrome.attempt(make)

    def content(self) -> list[Any]:
        """Give the view that is chosen, how many faces are in it, and the comparison of two subsets."""
        return [
            chrome.controls(chrome.choice(self.param.view)),
            chrome.later(self._figure),
            chrome.attempt(self._facts),
            chrome.section(
                "Compare any two subsets",
                chrome.attempt(self._choosers),
                chrome.controls(chrome.choice(self.param.contrast)),
                chrome.later(self._comparison),
                about="Which faces are averaged is up to you; an average of fewer than 16 is not shown.",
            ),
        ]


def _half(part: pn.Column) -> pn.Column:
    """Take half of the page, or all of it where the window is narrow."""
    return pn.Column(part, margin=0, styles={"flex": "1 1 320px", "min-width": "0"})
