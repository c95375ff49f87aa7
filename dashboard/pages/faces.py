"""The page of the average faces."""

from typing import Any

import param

from analysis.figures import faces
from dashboard import frame


class FacesPage(frame.ExplorerPage):
    """The average face of each label, how far faces spread around it, and how the averages differ."""

    view = param.Selector(
        objects={"Average": "average", "Spread": "spread", "Difference": "difference"}, doc="What is shown."
    )

    path = "/explore/faces"
    title = "Faces"
    lead = (
        "Aligned faces, averaged pixel by pixel. An average is nobody's face: it keeps what faces of a label have in "
        "common, light, hair and background included."
    )
    in_url = ("view",)

    @param.depends("view")
    def _figure(self) -> Any:
        draw, read = {
            "average": (faces.average_faces, faces.average_faces_reading),
            "spread": (faces.spread_faces, faces.spread_faces_reading),
            "difference": (faces.difference_map, faces.difference_map_reading),
        }[self.view]
        return frame.attempt(lambda: frame.figure(draw(self.results.average_faces), read(self.results.average_faces)))

    def _facts(self) -> Any:
        count = self.results.average_faces["count"]
        size = self.results.average_faces.sizes
        return frame.facts(
            {f"Faces labelled {label}": f"{int(count.sel(label=label)):,}" for label in count["label"].values}
            | {"Frame": (f"{size['x']} × {size['y']}", "pixels, eyes and mouth aligned")}
        )

    def content(self) -> list[Any]:
        """Give the view that is chosen, and how many faces are in it."""
        return [
            frame.controls(frame.choice(self.param.view)),
            frame.later(self._figure),
            frame.attempt(self._facts),
        ]
