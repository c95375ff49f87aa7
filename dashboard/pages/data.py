"""The page on the data: what faces look like, how many there are, what else is known, and how good all of it is."""

from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui
import param

from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.figures import attributes, cooccurrence, doubts, duplicates, identities, labels, quality, samples
from dashboard import chrome


class DataPage(chrome.ExplorerPage):
    """Sample, labels and splits, attributes and people by scope, likely mistakes, and picture quality by measure."""

    scope = param.Selector(
        objects={"Faces studied": "images", "All in the file": "metadata"}, doc="Faces that are counted."
    )
    view = param.Selector(
        objects={"How often": "prevalence", "Together": "cooccurrence"}, doc="What is shown of the attributes."
    )
    search = param.String(doc="Part of an attribute's name; empty for all.")
    top = param.Selector(
        default=15, objects={"Top 10": 10, "Top 15": 15, "Top 25": 25, "All": 40}, doc="Attributes shown at most."
    )
    people = param.Selector(
        objects={"Images of each": "images", "Labels of each": "labels"}, doc="What is shown of the people."
    )
    mistakes = param.Selector(
        objects={"Labels in doubt": "doubts", "Repeated pictures": "duplicates"}, doc="Likely mistakes that are shown."
    )
    measure = param.Selector(
        objects={"Brightness": "brightness", "Contrast": "contrast", "Sharpness": "sharpness", "Width": "width"},
        doc="Measure of picture quality.",
    )

    path = "/explore"
    title = "Data"
    lead = "What was studied: how many faces each label has, what else is known of them, and how good the pictures are."
    in_url = ("scope", "view", "search", "top", "people", "mistakes", "measure")

    def attributes(self) -> pd.DataFrame:
        """Select the attributes of the scope whose name fits, those with the widest gap between the labels.

        Returns
        -------
        pandas.DataFrame
            Rows of `Results.attributes`; at most ``top`` attributes.

        Raises
        ------
        UserError
            If there are none.
        """
        found = self.results.attributes
        found = found[found["scope"] == self.scope]
        if found.empty:
            raise UserError("this run has no attributes of these faces: choose the other scope")
        plain = found["attribute"].str.replace("_", " ")
        wanted = self.search.strip().replace("_", " ")
        found = found[plain.str.contains(wanted, case=False, regex=False)]
        if found.empty:
            raise UserError(f"no attribute is called “{self.search.strip()}”: try another word, such as hair")
        ranges = found.groupby("attribute")["prevalence"].agg(lambda shares: shares.max() - shares.min())
        return found[found["attribute"].isin(ranges.nlargest(self.top).index)]

    @param.depends("scope", "view", "search", "top")
    def _attributes(self) -> Any:
        def make() -> Any:
            if self.view == "cooccurrence":
                table = self.results.cooccurrence
                return chrome.figure(
                    cooccurrence.cooccurrence_matrix(table, self.scope),
                    cooccurrence.cooccurrence_reading(table, self.scope),
                )
            found = self.attributes()
            return chrome.figure(
                attributes.attribute_prevalence(found, self.scope),
                attributes.attribute_prevalence_reading(found, self.scope),
            )

        return chrome.attempt(make)

    @param.depends("scope", "people")
    def _people(self) -> Any:
        draw, read = {
            "images": (identities.images_per_person, identities.images_per_person_reading),
            "labels": (identities.mixed_labels, identities.mixed_labels_reading),
        }[self.people]

        def make() -> Any:
            found = self.results.identities
            return chrome.figure(draw(found, self.scope), read(found, self.scope))

        return chrome.attempt(make)

    @param.depends("mistakes")
    def _mistakes(self) -> Any:
        def make() -> Any:
            results = self.results
            if self.mistakes == "duplicates":
                return chrome.figure(
                    duplicates.repeated_pictures(results.duplicates),
                    duplicates.repeated_pictures_reading(results.duplicates, results.study["images"]),
                )
            return chrome.figure(
                doubts.doubted_shares(results.doubts),
                doubts.doubted_shares_reading(results.doubts, results.study["label_noise"]),
            )

        return chrome.attempt(make)

    def _samples(self) -> Any:
        found = self.results.samples
        grids = [
            pn.pane.HTML(
                f"Labelled {label}{samples.sample_faces(found, label).data}", sizing_mode="stretch_width", margin=0
            )
            for label in LABELS
        ]
        return pn.Column(
            *grids, chrome.text(samples.sample_faces_reading(found)), sizing_mode="stretch_width", margin=0
        )

    @param.depends("measure")
    def _quality(self) -> Any:
        return chrome.attempt(
            lambda: chrome.figure(
                quality.quality_histogram(self.results.quality, self.measure),
                quality.quality_histogram_reading(self.results.quality, self.measure),
            )
        )

    def _facts(self) -> Any:
        study = self.results.study
        duplicates = study["duplicates"]
        people = study["identities"]
        return chrome.facts(
            {
                "Faces studied": f"{study['images']:,}",
                "People": f"{people:,}" if people else "not known",
                "Attribute rows": f"{study['metadata_images']:,}" if study["metadata_images"] else "none",
                "Left out": (
                    f"{study['status']['broken'] + study['status']['no_face'] + study['status']['excluded']:,}",
                    "broken, without a face, or excluded",
                ),
                "Duplicates": (
                    f"{duplicates['exact'] + duplicates['near']:,}",
                    f"{duplicates['across_splits']} across splits",
                ),
            }
        )

    def _labels(self) -> Any:
        found = self.results.labels
        return chrome.figure(labels.label_counts(found), labels.label_counts_reading(found))

    def content(self) -> list[Any]:
        """Give the counts, then labels, attributes and picture quality."""
        return [
            chrome.attempt(self._facts),
            chrome.section("A sample", chrome.attempt(self._samples)),
            chrome.section(
                "Labels and splits",
                chrome.later(lambda: chrome.attempt(self._labels)),
                about="The label is how CelebA's annotators perceived a face.",
            ),
            chrome.section(
                "Attributes",
                chrome.controls(
                    chrome.choice(self.param.scope),
                    chrome.choice(self.param.view),
                    pmui.TextInput.from_param(
                        self.param.search,
                        label="Search attributes",
                        description="",
                        size="small",
                        width=220,
                        margin=0,
                        visible=self.param.view.rx() == "prevalence",
                    ),
                    pmui.Select.from_param(
                        self.param.top,
                        label="Show",
                        description="",
                        size="small",
                        width=120,
                        margin=0,
                        visible=self.param.view.rx() == "prevalence",
                    ),
                ),
                chrome.later(self._attributes),
                about="By how far the two labels lie apart, or by which attributes go together.",
            ),
            chrome.section(
                "People",
                chrome.controls(chrome.choice(self.param.people)),
                chrome.later(self._people),
                about="Counted over the same faces as the attributes.",
            ),
            chrome.section(
                "Likely mistakes",
                chrome.controls(chrome.choice(self.param.mistakes)),
                chrome.later(self._mistakes),
                about="Labels that faces contradict, and pictures that the data holds more than once.",
            ),
            chrome.section(
                "Picture quality",
                chrome.controls(chrome.choice(self.param.measure)),
                chrome.later(self._quality),
                about="Where the labels were photographed differently, a model may learn that instead of faces.",
            ),
        ]
