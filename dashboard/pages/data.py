"""The page on the data: sample faces, counts, attributes, people, likely mistakes and picture quality."""

from typing import Any

import pandas as pd
import panel_material_ui as pmui
import param

from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.figures import attributes, cooccurrence, doubts, duplicates, identities, labels, quality, samples
from analysis.results.records import LabelNoise
from dashboard import chrome, parts
from dashboard.parts import View

COUNTS = View("", labels.label_counts, labels.label_counts_reading, "labels")
ATTRIBUTES = {
    "prevalence": View(
        "",
        attributes.attribute_prevalence,
        attributes.attribute_prevalence_reading,
        "attributes scope",
        "all_attributes scope",  # a count of those chosen for differing would say nothing
    ),
    "cooccurrence": View("", cooccurrence.cooccurrence_matrix, cooccurrence.cooccurrence_reading, "cooccurrence scope"),
}
PEOPLE = {
    "images": View("", identities.images_per_person, identities.images_per_person_reading, "identities scope"),
    "labels": View("", identities.mixed_labels, identities.mixed_labels_reading, "identities scope"),
}
MISTAKES = {
    "doubts": View("", doubts.doubted_shares, doubts.doubted_shares_reading, "doubts", "doubts label_noise network"),
    "duplicates": View(
        "", duplicates.repeated_pictures, duplicates.repeated_pictures_reading, "duplicates", "duplicates images"
    ),
}
QUALITY = View("", quality.quality_histogram, quality.quality_histogram_reading, "quality measure")


class DataPage(chrome.ExplorerPage):
    """Sample, labels and splits, attributes and people by scope, likely mistakes, and picture quality by measure."""

    scope = param.Selector(
        objects={"Faces studied": "images", "All faces with attributes": "metadata"}, doc="Faces to count."
    )
    view = param.Selector(
        objects={"Frequency": "prevalence", "Co-occurrence": "cooccurrence"}, doc="What to show of the attributes."
    )
    search = param.String(doc="Part of an attribute's name; empty for all.")
    top = param.Selector(
        default=15,
        objects={"Top 10": 10, "Top 15": 15, "Top 25": 25, "All": 40},
        doc="Number of attributes to show at most.",
    )
    people = param.Selector(
        objects={"Photos per person": "images", "Labels per person": "labels"}, doc="What to show of the people."
    )
    mistakes = param.Selector(
        objects={"Doubtful labels": "doubts", "Duplicates": "duplicates"}, doc="Kind of likely mistakes to show."
    )
    measure = param.Selector(
        objects={"Brightness": "brightness", "Contrast": "contrast", "Sharpness": "sharpness", "Width": "width"},
        doc="Measure of picture quality.",
    )

    path = "/explore/data"
    title = "Data"
    lead = "What was studied: how many faces each label has, what else is known of them, and how good the pictures are."
    in_url = ("scope", "view", "search", "top", "people", "mistakes", "measure")

    @param.depends("scope", "search", "top")
    def attributes(self) -> pd.DataFrame:
        """Select the attributes of the scope whose name matches, those with the widest gap between the labels.

        Returns
        -------
        pandas.DataFrame
            Rows of `Results.attributes`; at most ``top`` attributes.

        Raises
        ------
        UserError
            If there are none.
        """
        table = self.results.attributes
        table = table[table["scope"] == self.scope]
        if table.empty:
            raise UserError("this run has no attributes of these faces: choose the other scope")
        names = table["attribute"].str.replace("_", " ")
        wanted = self.search.strip().replace("_", " ")
        table = table[names.str.contains(wanted, case=False, regex=False)]
        if table.empty:
            raise UserError(f"no attribute is called “{self.search.strip()}”: try another word, such as hair")
        gaps = table.groupby("attribute")["prevalence"].agg(lambda shares: shares.max() - shares.min())
        return table[table["attribute"].isin(gaps.nlargest(self.top).index)]

    @property
    def all_attributes(self) -> pd.DataFrame:
        """All attributes of both scopes."""
        return self.results.attributes

    @property
    def images(self) -> int:
        """Number of faces studied."""
        return self.results.study.images

    @property
    def label_noise(self) -> LabelNoise:
        """Estimated rates of wrong labels."""
        return self.results.study.label_noise

    def _samples(self) -> Any:
        grids = self.results.samples
        return parts.stack(
            *(parts.html(f"Labelled {label}{samples.sample_faces(grids, label).data}", "samples") for label in LABELS),
            parts.text(samples.sample_faces_reading(grids)),
        )

    def _facts(self) -> Any:
        study = self.results.study
        repeats, people, status = study.duplicates, study.identities, study.status
        return parts.facts(
            {
                "Faces studied": f"{study.images:,}",
                "People": f"{people:,}" if people else "not known",
                "Faces with attributes": f"{study.metadata_images:,}" if study.metadata_images else "none",
                "Left out": (
                    f"{status['broken'] + status['no_face'] + status['excluded']:,}",
                    "unreadable, without a face, or excluded",
                ),
                "Duplicates": (
                    f"{repeats.exact + repeats.near:,}",
                    f"{repeats.across_splits} across splits",
                ),
            }
        )

    def content(self) -> list[Any]:
        """List the counts, then labels, attributes, people, mistakes and picture quality."""
        of_prevalence: dict[str, Any] = {
            "description": "",
            "size": "small",
            "margin": 0,
            "visible": self.param.view.rx() == "prevalence",
        }
        return [
            parts.or_notice(self._facts)(),
            parts.section("Sample faces", parts.or_notice(self._samples)()),
            parts.section(
                "Labels and splits",
                COUNTS.later(self),
                about="The label is how a face was perceived by whoever labelled its data set.",
            ),
            parts.section(
                "Attributes",
                parts.controls(
                    parts.choice(self.param.scope),
                    parts.choice(self.param.view),
                    pmui.TextInput.from_param(self.param.search, label="Search attributes", width=220, **of_prevalence),
                    pmui.Select.from_param(self.param.top, label="Show", width=120, **of_prevalence),
                ),
                parts.chosen(self, "view", ATTRIBUTES),
                about="Attributes in which the two labels differ most, or which attributes occur together.",
            ),
            parts.section(
                "People",
                parts.controls(parts.choice(self.param.people)),
                parts.chosen(self, "people", PEOPLE),
                about="Counted over the same faces as the attributes.",
            ),
            parts.section(
                "Likely mistakes",
                parts.controls(parts.choice(self.param.mistakes)),
                parts.chosen(self, "mistakes", MISTAKES),
                about="Labels that the faces contradict, and pictures that occur more than once.",
            ),
            parts.section(
                "Picture quality",
                parts.controls(parts.choice(self.param.measure)),
                QUALITY.later(self),
                about="Where photos of the two labels differ in quality, a model may learn that instead of faces.",
            ),
        ]
