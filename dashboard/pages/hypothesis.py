"""The page of the hypothesis: the verdict and the evidence for it."""

from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui
import param

from analysis.core.words import p_value
from analysis.figures import confounders, elsewhere, hypothesis, shape
from analysis.figures.answers import shape_reasons, shown_verdict, verdict_reasons
from analysis.figures.hypothesis import CHANNEL_NAMES
from analysis.hypothesis.verdict import QUESTIONS
from dashboard import chrome, parts
from dashboard.pages.argument import EffectMaps, Steps
from dashboard.parts import View

VIEWS: dict[str, tuple[View, ...]] = {
    "sound": (
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
    "beyond_chance": (
        View("", hypothesis.null_distribution, hypothesis.null_distribution_reading, "hypothesis"),
        View("", hypothesis.region_chart, hypothesis.region_chart_reading, "regions channel"),
        View("", hypothesis.masks, hypothesis.masks_reading, "average_faces", ""),
    ),
    "large_enough": (
        View(
            "",
            confounders.comparison_table,
            lambda _: "“At least” is the lower end of the simultaneous interval of the largest |g|.",
            "hypothesis",
            numbers=False,
        ),
        View(
            "",
            shape.bells,
            shape.bells_reading,
            "shape_maps shape_distances studied",
            "shape_distances shape studied",
            about="The same question for the shape of faces.",
        ),
    ),
    "more_than_styling": (
        View("", confounders.steps_chart, confounders.steps_reading, "confounders hypothesis", "hypothesis"),
        View("", confounders.survival_chart, confounders.survival_reading, "confounders hypothesis"),
        View("", confounders.balance_chart, confounders.balance_reading, "balance hypothesis"),
        View("", confounders.overlap_table, confounders.overlap_reading, "hypothesis", numbers=False),
    ),
    "tells_apart": (View("", hypothesis.accuracy_chart, hypothesis.accuracy_reading, "accuracies"),),
    "elsewhere": (),
}
ALTERNATIVES = {
    "sound": "Photos of one person are alike, and a test that took them for independent would find differences where "
    "there are none. Here people are the unit, not photos.",
    "beyond_chance": "Hair, make-up, expression and light differ between the labels, too: the next step holds them "
    "equal.",
    "large_enough": "An effect of 0.2 standard deviations is small: nine tenths of the two groups overlap.",
    "more_than_styling": "Only what is annotated can be held equal. Pose, lenses and the choice of photos cannot.",
    "tells_apart": "A difference of averages can be certain and still say little about one face, as the two groups "
    "overlap almost everywhere.",
    "elsewhere": "Both collections come from the web and were labelled by people of similar habits: what they have in "
    "common may be those.",
}
_MAPPED = ("beyond_chance", "more_than_styling")  # steps that show the maps of the effect


class HypothesisPage(chrome.ExplorerPage):
    """The argument step by step, through the questions of the verdict: only the figures of the open one are drawn."""

    view = param.Selector(objects={question: key for key, question in QUESTIONS.items()}, doc="Step that is open.")
    held = param.Boolean(default=False, doc="Whether the maps show the effect with styling held equal.")
    least = param.Number(default=0, bounds=(0, 5), doc="Smallest |g| that the maps show.")
    channel = param.Selector(
        default="all",
        objects={"All": "all", "Lightness": "L", "Green to red": "a", "Blue to yellow": "b"},
        doc="Colour channel to show.",
    )

    path = "/explore/hypothesis"
    title = "Hypothesis"
    lead = "Do the two average faces differ by more than chance, and is the difference in the face or in the styling?"
    in_url = ("view", "channel", "held", "least")

    @property
    def studied(self) -> str:
        """Name of the data set that the run studies."""
        return self.results.study.dataset

    @property
    def accuracies(self) -> pd.DataFrame:
        """Accuracy of the averages, and of the network where the run has one; see `hypothesis.accuracy_table`."""
        return hypothesis.accuracy_table(self.results.hypothesis, self.results.network, self.results.study.dataset)

    def _verdict(self) -> Any:
        tested = self.results.hypothesis
        people = tested.identities
        shade = p_value(tested.largest_in_face.p_value, tested.permutations)
        said = f"Shade: {shade}, largest within the face, {people['female']:,} people labelled female and "
        said += f"{people['male']:,} labelled male."
        if self.results.has_shape:
            first = self.results.shape.comparisons[0]
            shape = f"Shape: {p_value(first.p_value, first.permutations)}, largest of the named distances, "
            shape += f"{first.people['female']:,} people labelled female and {first.people['male']:,} labelled male."
            said = (
                f"{shape} {said} The argument below is that of the shade; the same questions for the shape follow it."
            )
        return parts.notice(
            f"“{tested.statement}”\n\nPermutation tests over people. {said}",
            title=shown_verdict(self.results).capitalize(),
        )

    def _steps(self) -> Any:
        reasons = verdict_reasons(self.results)
        steps = Steps(
            steps=[
                {"key": key, "question": question, "answer": answer.capitalize(), "numbers": numbers}
                for key, (question, answer, numbers) in zip(QUESTIONS, reasons, strict=True)
            ],
            open=self.view,
        )
        steps.param.watch(lambda event: self.open(event.new), "open")
        self.param.watch(lambda event: setattr(steps, "open", event.new), "view")
        return steps

    def _shape(self) -> Any:
        """List the answers for the shape, where it was measured."""
        if not (reasons := shape_reasons(self.results)):
            return parts.notice("Shape was not measured: run `meanface landmarks NAME`, then the study again.")
        table = pd.DataFrame(reasons, columns=["Question", "Answer", "Numbers"])
        return parts.table(table.set_index("Question"))

    def open(self, key: str) -> None:
        """Open a step; the one on styling begins with styling held equal."""
        if key != self.view and key in QUESTIONS:
            self.param.update(view=key, held=key == "more_than_styling")

    @parts.or_notice
    def _maps(self) -> Any:
        maps = EffectMaps(self.results.effects, self.results.hypothesis, held=self.held, least=self.least)
        maps.link(self, held="held", least="least", bidirectional=True)
        if self.view == "more_than_styling":  # the figures that follow read what is left
            return maps
        return parts.stack(maps, parts.text(hypothesis.effect_maps_reading(self.results.hypothesis)))

    @param.depends("view")
    def _view(self) -> Any:
        keys = list(QUESTIONS)
        place = keys.index(self.view)
        _, answer, numbers = verdict_reasons(self.results)[place]
        content: list[Any] = [self._maps()] if self.view in _MAPPED else []
        if self.view == "beyond_chance":
            content.append(parts.controls(parts.choice(self.param["channel"])))
        if self.view == "elsewhere":
            content += [parts.controls(parts.choice(self.param["channel"])), parts.later(self._elsewhere)]
        content += [view.later(self) for view in VIEWS[self.view]]
        return parts.section(
            f"{place + 1}. {QUESTIONS[self.view]}",
            *content,
            parts.text(f"**What else could it be?** {ALTERNATIVES[self.view]}"),
            parts.controls(*self._neighbours(keys, place)),
            about=f"**{answer.capitalize()}:** {numbers}.",
        )

    def _neighbours(self, keys: list[str], place: int) -> list[Any]:
        """Buttons to the step before and after."""

        def to(key: str, label: str) -> pmui.Button:
            return pmui.Button(label=label, on_click=lambda event: self.open(key), variant="outlined", margin=0)

        before = [to(keys[place - 1], f"Back: {QUESTIONS[keys[place - 1]]}")] if place else []
        after = [to(keys[place + 1], f"Next: {QUESTIONS[keys[place + 1]]}")] if place + 1 < len(keys) else []
        return before + after

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
        """List the verdict, the steps that lead to it, and the open step."""
        return [
            parts.or_notice(self._verdict)(),
            parts.section("The argument, step by step", parts.or_notice(self._steps)()),
            pn.panel(parts.or_notice(self._view), sizing_mode="stretch_width"),
            parts.section("The same questions for the shape", parts.or_notice(self._shape)()),
        ]
