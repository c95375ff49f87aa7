"""What chance gives, and what was observed."""

from typing import Any

import holoviews as hv

from analysis.answers import p_value
from analysis.figures import style
from analysis.figures.style import LABEL_COLOURS


def null_distribution(hypothesis: dict[str, Any]) -> hv.Overlay:
    """Largest abs(g) of every exchange of labels, with its 95 % point and the observed value.

    Parameters
    ----------
    hypothesis
        ``hypothesis.json``.
    """
    null, critical, observed = (hypothesis[key] for key in ("null_max_abs_g", "critical_abs_g", "max_abs_g"))
    rows = [
        (left, 0, right, count, f"{left:.3f} to {right:.3f}", f"{count:,}")
        for left, right, count in zip(null["bin_left"], null["bin_right"], null["count"], strict=True)
    ]
    top = max(null["count"])
    right = max(observed, null["bin_right"][-1]) * 1.06
    chance = hv.Rectangles(rows, vdims=["range", "exact"]).opts(
        color=LABEL_COLOURS["uncertain"],
        line_color=None,
        tools=["hover"],
        hover_tooltips=[("largest |g| by chance", "@range"), ("exchanges", "@exact")],
    )
    lines = [
        hv.Curve([(critical, 0), (critical, top * 1.12)]).opts(color=style.QUIET, line_dash="dashed", line_width=2),
        hv.Curve([(observed, 0), (observed, top * 0.86)]).opts(color=LABEL_COLOURS["male"], line_width=3),
    ]
    # Written to the side that has room.
    side = "right" if observed > right / 2 else "left"
    texts = [
        hv.Labels([(critical, top * 1.2, f"95 % of chance: up to {critical:.2f}")]).opts(
            **style.words(text_align="left" if critical < right / 2 else "right")
        ),
        hv.Labels([(observed, top * 0.94, f"observed {observed:.2f}")]).opts(
            **style.words(LABEL_COLOURS["male"], text_align=side, text_font_style="bold")
        ),
    ]
    return hv.Overlay([chance, *lines, *texts]).opts(
        **style.chart(
            "Could it be chance?",
            height=320,
            xlabel="Largest |g| (standard deviations)",
            ylabel="Exchanges of labels",
            xlim=(0, right),
            ylim=(0, top * 1.3),
            yformatter="%d",
            show_legend=False,
        )
    )


def null_distribution_reading(hypothesis: dict[str, Any]) -> str:
    """How the observed effect compares with chance."""
    observed, critical = hypothesis["max_abs_g"], hypothesis["critical_abs_g"]
    return (
        f"The largest observed effect, |g| = {observed:.2f}, is {observed / critical:.1f} times the {critical:.2f} "
        f"that 95 % of {hypothesis['permutations']:,} random exchanges of labels stay below "
        f"({p_value(hypothesis['p_value'])})."
    )
