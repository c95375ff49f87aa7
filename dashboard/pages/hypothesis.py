"""The page of the hypothesis: the verdict and what it rests on."""

from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from analysis.figures import faces, hypothesis
from dashboard import frame

_CONTROLS = {
    "shuffled_labels": ("Labels shuffled", "people get each other's labels at random"),
    "within_female": ("Female against female", "faces of one label, halved at random"),
    "within_male": ("Male against male", "faces of one label, halved at random"),
}
_VERDICT_CSS = """
:host { font-family: Roboto, system-ui, sans-serif; }
blockquote { margin: 0; padding: 18px 20px; border-radius: 12px;
  border-left: 6px solid var(--mui-palette-primary-main, #332288);
  background: color-mix(in srgb, var(--mui-palette-primary-main, #332288) 9%, transparent); }
p { margin: 0; max-width: 74ch; line-height: 1.5; }
strong { display: block; font-size: 1.5rem; line-height: 1.25; margin: 4px 0 6px; }
"""


class HypothesisPage(frame.ExplorerPage):
    """Verdict, null distribution, effect map and controls."""

    beyond_chance = param.Boolean(default=False, doc="Whether the map shows only what chance does not give.")

    path = "/explore/hypothesis"
    title = "Hypothesis"
    lead = "Is the difference between the two average faces more than chance would give?"
    in_url = ("beyond_chance",)

    @param.depends("beyond_chance")
    def _effect(self) -> Any:
        def make() -> Any:
            critical = self.results.hypothesis["critical_abs_g"] if self.beyond_chance else None
            average = self.results.average_faces
            return frame.figure(faces.effect_map(average, critical), faces.effect_map_reading(average, critical))

        return frame.attempt(make)

    def _verdict(self) -> Any:
        found = self.results.hypothesis
        people = found["identities"]
        return pn.pane.HTML(
            f"<blockquote><p>“{escape(found['statement'])}”</p><p><strong>{escape(found['verdict'].capitalize())}</strong>"
            f"p {probability(found['p_value'])} in a permutation test with {found['permutations']:,} permutations "
            f"of {people['female']:,} female-labelled and {people['male']:,} male-labelled people.</p></blockquote>",
            stylesheets=[_VERDICT_CSS],
            sizing_mode="stretch_width",
            margin=0,
        )

    def _facts(self) -> Any:
        found = self.results.hypothesis
        low, high = found["mean_abs_g_interval"]
        return frame.facts(
            {
                "Largest |g|": (f"{found['max_abs_g']:.2f}", f"chance gives up to {found['critical_abs_g']:.2f}"),
                "Mean |g|": (f"{found['mean_abs_g']:.2f}", f"95 % interval {low:.2f} to {high:.2f}"),
                "Area beyond chance": (f"{found['area_significant']:.0%}", "of the frame's pixels"),
            }
        )

    def _null(self) -> Any:
        found = self.results.hypothesis
        return frame.figure(hypothesis.null_distribution(found), hypothesis.null_distribution_reading(found))

    def _controls(self) -> Any:
        found = self.results.hypothesis["controls"]
        rows = "".join(
            f'<tr><th scope="row">{name}</th><td>{how}</td><td class="number">{found[key]["max_abs_g"]:.3f}</td>'
            f'<td class="number">{found[key]["p_value"]:.3f}</td></tr>'
            for key, (name, how) in _CONTROLS.items()
            if key in found
        )
        return frame.table(
            '<thead><tr><th scope="col">Control</th><th scope="col">How</th><th scope="col" class="number">Largest |g|'
            f'</th><th scope="col" class="number">p</th></tr></thead><tbody>{rows}</tbody>'
        )

    def _nearest(self) -> Any:
        found = self.results.hypothesis["nearest_average"]
        low, high = found["interval"]
        return frame.facts(
            {
                "Labelled by the nearer average": (
                    f"{found['accuracy']:.1%}",
                    f"of {found['images']:,} {found['split']} faces; 95 % interval {low:.1%} to {high:.1%}",
                )
            }
        )

    def content(self) -> list[Any]:
        """Give the verdict, then what it rests on."""
        return [
            frame.attempt(self._verdict),
            frame.attempt(self._facts),
            frame.section(
                "Where the averages differ",
                frame.controls(
                    pmui.Switch.from_param(
                        self.param.beyond_chance,
                        label="Only what chance does not give",
                        description="",
                        margin=(0, 0, 0, 6),
                    )
                ),
                frame.later(self._effect),
                about="Hedges' g of lightness, male minus female, pixel by pixel.",
            ),
            frame.section("What chance gives", frame.later(lambda: frame.attempt(self._null))),
            frame.section(
                "Controls",
                frame.attempt(self._controls),
                about="The same test where there is nothing to find: a sound test finds nothing, p is not small.",
            ),
            frame.section(
                "The nearest average",
                frame.attempt(self._nearest),
                about="The simplest model there is: a face gets the label of the average that it is nearer to.",
            ),
        ]


def probability(p: float) -> str:
    """Write a p-value with its sign of relation, as precisely as it deserves."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
