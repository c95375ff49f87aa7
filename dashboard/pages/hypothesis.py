"""The page of the hypothesis: the verdict and what it rests on."""

from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui
import param

from analysis.core.errors import UserError
from analysis.figures import confounders, elsewhere, hypothesis
from analysis.figures.answers import verdict_reasons
from analysis.figures.hypothesis import CHANNEL_NAMES
from dashboard import chrome

_VERDICT_CSS = """
:host { font-family: Roboto, system-ui, sans-serif; }
blockquote { margin: 0; padding: 18px 20px; border-radius: 12px;
  border-left: 6px solid var(--mui-palette-primary-main, #332288);
  background: color-mix(in srgb, var(--mui-palette-primary-main, #332288) 9%, transparent); }
p { margin: 0; max-width: 74ch; line-height: 1.5; }
strong { display: block; font-size: 1.5rem; line-height: 1.25; margin: 4px 0 6px; }
"""


class HypothesisPage(chrome.ExplorerPage):
    """The study one question at a time: each view draws only what it shows."""

    view = param.Selector(
        default="effect",
        objects={
            "Effect": "effect",
            "Parts": "parts",
            "Face or styling": "styling",
            "Prediction": "prediction",
            "Elsewhere": "elsewhere",
            "Controls": "controls",
        },
        doc="What is shown.",
    )
    beyond_chance = param.Boolean(default=False, doc="Whether the maps show only what chance does not give.")
    channel = param.Selector(
        default="L",
        objects={"Lightness": "L", "Green to red": "a", "Blue to yellow": "b", "All": "all"},
        doc="Channel that is shown.",
    )

    path = "/explore/hypothesis"
    title = "Hypothesis"
    lead = "Is the difference between the two average faces more than chance would give, and is it the face?"
    in_url = ("view", "channel", "beyond_chance")

    def _verdict(self) -> Any:
        found = self.results.hypothesis
        people = found["identities"]
        return pn.pane.HTML(
            f"<blockquote><p>“{escape(found['statement'])}”</p><p><strong>{escape(found['verdict'].capitalize())}</strong>"
            f"p {probability(found['largest_in_face']['p_value'])} within the face in a permutation test with "
            f"{found['permutations']:,} permutations of {people['female']:,} female-labelled and {people['male']:,} "
            "male-labelled people.</p></blockquote>",
            stylesheets=[_VERDICT_CSS],
            sizing_mode="stretch_width",
            margin=0,
        )

    def _reasons(self) -> Any:
        rows = [
            {"Question": question, "Answer": answer, "Numbers": numbers}
            for question, answer, numbers in verdict_reasons(self.results)
        ]
        return shown(pd.DataFrame(rows).set_index("Question"))

    @param.depends("view")
    def _choices(self) -> Any:
        if self.view == "effect":
            return chrome.controls(
                pmui.Switch.from_param(
                    self.param.beyond_chance,
                    label="Only what chance does not give",
                    description="",
                    margin=(0, 0, 0, 6),
                )
            )
        if self.view in ("parts", "elsewhere"):
            return chrome.controls(chrome.choice(self.param["channel"]))
        return chrome.nothing()

    @param.depends("view", "beyond_chance", "channel")
    def _view(self) -> Any:
        views: dict[str, Callable[[], list[Any]]] = {
            "effect": self._effect,
            "parts": self._parts,
            "styling": self._styling,
            "prediction": self._prediction,
            "elsewhere": self._elsewhere,
            "controls": self._controls,
        }
        return chrome.attempt(
            lambda: pn.Column(*views[self.view](), sizing_mode="stretch_width", styles={"gap": "28px"})
        )

    def _effect(self) -> list[Any]:
        found = self.results.hypothesis
        critical = found["critical_abs_g"] if self.beyond_chance else None
        return [
            chrome.figure(
                hypothesis.effect_maps(self.results.effects, critical), hypothesis.effect_maps_reading(found)
            ),
            chrome.figure(hypothesis.null_distribution(found), hypothesis.null_distribution_reading(found)),
        ]

    def _parts(self) -> list[Any]:
        regions = self.results.regions
        return [
            chrome.figure(
                hypothesis.region_chart(regions, self.channel), hypothesis.region_chart_reading(regions, self.channel)
            ),
            chrome.figure(hypothesis.masks(self.results.average_faces), hypothesis.masks_reading()),
        ]

    def _styling(self) -> list[Any]:
        found, steps, balance = self.results.hypothesis, self.results.confounders, self.results.balance
        return [
            chrome.figure(confounders.steps_chart(steps, found), confounders.steps_reading(found)),
            chrome.figure(confounders.survival_chart(steps, found), confounders.survival_reading(steps, found)),
            chrome.figure(confounders.balance_chart(balance, found), confounders.balance_reading(balance, found)),
            shown(confounders.overlap_table(found), confounders.overlap_reading(found)),
        ]

    def _prediction(self) -> list[Any]:
        try:
            metrics = self.results.metrics
        except UserError:  # a run without a network has the averages alone
            metrics = None
        table = hypothesis.accuracy_table(self.results.hypothesis, metrics, self.results.study["dataset"])
        return [chrome.figure(hypothesis.accuracy_chart(table), hypothesis.accuracy_reading(table))]

    def _elsewhere(self) -> list[Any]:
        found, effects = self.results.elsewhere, self.results.effects
        if found.empty:
            return [chrome.notice("No other data set was compared: `meanface study NAME --compare OTHER` does.")]
        # Maps have one channel each; for all together lightness stands.
        own, channel = self.results.study["dataset"], self.channel if self.channel in CHANNEL_NAMES else "L"
        maps = [
            chrome.figure(
                elsewhere.elsewhere_maps(effects, own, other, channel),
                elsewhere.elsewhere_maps_reading(found, other, channel),
            )
            for other in dict.fromkeys(found["dataset"])
        ]
        chart = chrome.figure(
            elsewhere.correlation_chart(found, self.channel), elsewhere.correlation_reading(found, self.channel)
        )
        return [*maps, chart]

    def _controls(self) -> list[Any]:
        found = self.results.hypothesis
        return [
            shown(
                hypothesis.control_table(found),
                "The same test where there is nothing to find: a sound test finds nothing, p is not small.",
            ),
            chrome.figure(hypothesis.false_positive_chart(found), hypothesis.false_positive_reading(found)),
        ]

    def content(self) -> list[Any]:
        """Give the verdict, then what it rests on."""
        return [
            chrome.attempt(self._verdict),
            chrome.section("What it rests on", chrome.attempt(self._reasons)),
            chrome.section(
                "The study, question by question",
                chrome.choice(self.param["view"]),
                self._choices,
                chrome.later(self._view),
            ),
        ]


def shown(table: pd.DataFrame, caption: str = "") -> pn.pane.HTML:
    """Set a table of text, its index first, in the explorer's type."""
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in (table.index.name, *table.columns))
    rows = "".join(
        f'<tr><th scope="row">{escape(str(name))}</th>'
        + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
        + "</tr>"
        for name, cells in zip(table.index, table.to_numpy(), strict=True)
    )
    return chrome.table(f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>", caption=caption)


def probability(p: float) -> str:
    """Write a p-value with its sign of relation, as precisely as it deserves."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
