"""The page of the average faces."""

from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from analysis.averages.source import LiveSubsets, subset_source
from analysis.figures import faces, subsets
from dashboard import chrome, parts
from dashboard.parts import View

_OWN = "a filter of your own"

VIEWS = {
    "average": View("", faces.average_faces, faces.average_faces_reading, "average_faces"),
    "spread": View("", faces.spread_faces, faces.spread_faces_reading, "average_faces"),
    "difference": View("", faces.difference_map, faces.difference_map_reading, "average_faces"),
}
_CONTRASTS = {
    "difference": (subsets.subset_difference, subsets.subset_difference_reading),
    "certainty": (subsets.subset_certainty, subsets.subset_certainty_reading),
}


class FacesPage(chrome.ExplorerPage):
    """The average face of each label, how they spread and differ, and the averages of any two subsets."""

    view = param.Selector(
        objects={"Average": "average", "Spread": "spread", "Difference": "difference"},
        doc="What to show of each label.",
    )
    first = param.String("label == 'female'", doc="Filter of the first subset.")
    second = param.String("label == 'male'", doc="Filter of the second subset.")
    contrast = param.Selector(
        objects={"Difference": "difference", "In standard errors": "certainty"}, doc="Unit of the difference."
    )

    path = "/explore/faces"
    title = "Faces"
    lead = (
        "Aligned faces, averaged pixel by pixel. An average is nobody's face: it keeps what faces of a label have in "
        "common, light, hair and background included."
    )
    in_url = ("view", "first", "second", "contrast")

    def _facts(self) -> Any:
        count = self.results.average_faces["count"]
        size = self.results.average_faces.sizes
        return parts.facts(
            {f"Faces labelled {label}": f"{int(count.sel(label=label)):,}" for label in count["label"].values}
            | {"Size": (f"{size['x']} × {size['y']}", "pixels, eyes and mouth aligned")}
        )

    def _choosers(self) -> Any:
        source, published = subset_source(self.results), self.results.subsets
        named = dict(zip(published["subset"].values.tolist(), published["filter"].values.tolist(), strict=True))
        live = isinstance(source, LiveSubsets)
        note = (
            "A filter compares columns with values, joined by `and`, `or` and `not`: `Smiling and not Eyeglasses`, "
            "`split == 'test'`, `confidence > 0.9`."
            if isinstance(source, LiveSubsets)
            else f"Only the published averages can be chosen. Filters of your own need the faces, and {source.reason}."
        )
        return parts.stack(
            parts.controls(*(self._chooser(which, named, live) for which in ("first", "second"))),
            parts.text(note),
            gap=10,
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
        widgets: list[Any] = [select]
        if any_filter:
            label = f"Filter of the {which} subset"
            widgets.append(
                pmui.TextInput.from_param(self.param[which], label=label, description="", width=300, margin=0)
            )
        return pn.Column(*widgets, margin=0, styles={"gap": "14px"})

    @param.depends("first", "second", "contrast")
    def _comparison(self) -> Any:
        compared = subset_source(self.results).compare(self.first, self.second)
        draw, read = _CONTRASTS[self.contrast]
        return pn.FlexBox(
            _half(parts.figure(subsets.subset_faces(compared), subsets.subset_faces_reading(compared))),
            _half(parts.figure(draw(compared), read(compared))),
            gap="24px",
            sizing_mode="stretch_width",
            margin=0,
        )

    def content(self) -> list[Any]:
        """List the chosen view, how many faces are in it, and the comparison of two subsets."""
        return [
            parts.controls(parts.choice(self.param.view)),
            parts.chosen(self, "view", VIEWS),
            parts.or_notice(self._facts)(),
            parts.section(
                "Compare any two subsets",
                parts.or_notice(self._choosers)(),
                parts.controls(parts.choice(self.param.contrast)),
                parts.later(self._comparison),
                about="Choose which faces to average; an average of fewer than 16 is not shown.",
            ),
        ]


def _half(part: pn.Column) -> pn.Column:
    """Take half of the page, or all of it where the window is narrow."""
    return pn.Column(part, margin=0, styles={"flex": "1 1 320px", "min-width": "0"})
