"""The page of the hypothesis: the verdict and the evidence for it."""

from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui
import param

from analysis.core.words import p_value
from analysis.figures import confounders, elsewhere, hypothesis
from analysis.figures.answers import verdict_reasons
from analysis.figures.hypothesis import CHANNEL_NAMES
from dashboard import chrome, parts
from dashboard.parts import View

VIEWS: dict[str, tuple[View, ...]] = {
    "effect": (
        View("", hypothesis.effect_maps, hypothesis.effect_maps_reading, "effects critical", "hypothesis"),
        View("", hypothesis.null_distribution, hypothesis.null_distribution_reading, "hypothesis"),
    ),
    "parts": (
        View("", hypothesis.region_chart, hypothesis.region_chart_reading, "regions channel"),
        View("", hypothesis.masks, hypothesis.masks_reading, "average_faces", ""),
    ),
    "styling": (
        View("", confounders.steps_chart, confounders.steps_reading, "confounders hypothesis", "hypothesis"),
        View("", confounders.survival_chart, confounders.survival_reading, "confounders hypothesis"),
        View("", confounders.balance_chart, confounders.balance_reading, "balance hypothesis"),
        View("", confounders.overlap_table, confounders.overlap_reading, "hypothesis", numbers=False),
    ),
    "prediction": (View("", hypothesis.accuracy_chart, hypothesis.accuracy_reading, "accuracies"),),
    "controls": (
        View(
            "",
            hypothesis.control_table,
            lambda table: (
                "The same test where no difference exists: a valid test finds none, so p should not be small."
            ),
            "hypothesis",
            numbers=False,
        ),
        View("", hypothesis.false_positive_chart, hypothesis.false_positive_reading, "hypothesis"),
    ),
}


class HypothesisPage(chrome.ExplorerPage):
    """The study one question at a time: only the figures of the chosen one are drawn."""

    view = param.Selector(
        default="effect",
        objects={
            "Effect": "effect",
            "Parts of the face": "parts",
            "Styling": "styling",
            "Prediction": "prediction",
            "Other data sets": "elsewhere",
            "Controls": "controls",
        },
        doc="Question whose figures to show.",
    )
    beyond_chance = param.Boolean(default=False, doc="Whether the maps show only what is significant.")
    channel = param.Selector(
        default="L",
        objects={"Lightness": "L", "Green to red": "a", "Blue to yellow": "b", "All": "all"},
        doc="Colour channel to show.",
    )

    path = "/explore/hypothesis"
    title = "Hypothesis"
    lead = "Do the two average faces differ by more than chance, and is the difference in the face or in the styling?"
    in_url = ("view", "channel", "beyond_chance")

    @param.depends("beyond_chance")
    def critical(self) -> float | None:
        """Smallest significant |g| where only significant pixels are shown, else None."""
        return self.results.hypothesis.critical_abs_g if self.beyond_chance else None

    @property
    def accuracies(self) -> pd.DataFrame:
        """Accuracy of the averages, and of the network where the run has one; see `hypothesis.accuracy_table`."""
        return hypothesis.accuracy_table(self.results.hypothesis, self.results.network, self.results.study.dataset)

    def _verdict(self) -> Any:
        tested = self.results.hypothesis
        people = tested.identities
        return parts.notice(
            f"“{tested.statement}”\n\n{p_value(tested.largest_in_face.p_value)} within the face in a "
            f"permutation test with {tested.permutations:,} permutations of {people['female']:,} female-labelled "
            f"and {people['male']:,} male-labelled people.",
            title=tested.verdict.capitalize(),
        )

    def _reasons(self) -> Any:
        reasons = pd.DataFrame(verdict_reasons(self.results), columns=["Question", "Answer", "Numbers"])
        return parts.table(reasons.set_index("Question"))

    @param.depends("view")
    def _choices(self) -> Any:
        if self.view == "effect":
            return parts.controls(
                pmui.Switch.from_param(
                    self.param.beyond_chance, label="Only significant pixels", description="", margin=(0, 0, 0, 6)
                )
            )
        if self.view in ("parts", "elsewhere"):
            return parts.controls(parts.choice(self.param["channel"]))
        return parts.nothing()

    @param.depends("view")
    def _view(self) -> Any:
        if self.view == "elsewhere":
            return parts.later(self._elsewhere)
        return parts.stack(*(view.later(self) for view in VIEWS[self.view]), gap=28)

    @param.depends("channel")
    def _elsewhere(self) -> Any:
        """Draw the maps of each other data set, and the correlations with all of them."""
        correlations, effects = self.results.elsewhere, self.results.effects
        if correlations.empty:
            return parts.notice("No other data set was compared: `meanface study NAME --compare OTHER` does that.")
        # A map has one channel; for all together lightness is shown.
        own, channel = self.results.study.dataset, self.channel if self.channel in CHANNEL_NAMES else "L"
        maps = [
            parts.figure(
                elsewhere.elsewhere_maps(effects, own, other, channel),
                elsewhere.elsewhere_maps_reading(correlations, other, channel),
            )
            for other in dict.fromkeys(correlations["dataset"])
        ]
        chart = parts.figure(
            elsewhere.correlation_chart(correlations, self.channel),
            elsewhere.correlation_reading(correlations, self.channel),
        )
        return parts.stack(*maps, chart, gap=28)

    def content(self) -> list[Any]:
        """List the verdict, then the evidence."""
        return [
            parts.or_notice(self._verdict)(),
            parts.section("Evidence", parts.or_notice(self._reasons)()),
            parts.section(
                "The study, question by question",
                parts.choice(self.param["view"]),
                self._choices,
                pn.panel(self._view, sizing_mode="stretch_width"),
            ),
        ]
