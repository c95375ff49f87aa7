"""How well the model does: mistakes, ranking, honesty of its probabilities, and when it is uncertain."""

from collections.abc import Sequence
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.core.stats import wilson
from analysis.core.words import percent
from analysis.figures import theme
from analysis.figures.theme import LABEL_COLOURS


def sources(metrics: dict[str, Any]) -> list[str]:
    """Names of what was measured: the data sets, then their subsets."""
    return [*metrics["sources"], *metrics.get("subsets", {})]


def measured(metrics: dict[str, Any], split: str, source: str | None = None) -> dict[str, Any]:
    """Metrics of one split of one source.

    Parameters
    ----------
    metrics
        ``metrics.json``.
    split
        "train", "validation" or "test".
    source
        Data set or subset; default: the data set that the run studies.

    Raises
    ------
    UserError
        If the run holds no metrics of it.
    """
    named = metrics["sources"] | metrics.get("subsets", {})
    found = named.get(source or metrics["datasets"][0], {}).get(split)
    if found is None:
        raise UserError(f"this run holds no metrics of the {split} split of {source!r}: run `meanface evaluate` again")
    return found


def confusion_matrix(metrics: dict[str, Any], split: str, source: str | None = None) -> hv.Overlay:
    """Counts and row shares: rows are the annotators' labels, columns the model's.

    Parameters
    ----------
    metrics, split, source
        As in `measured`.
    """
    matrix = np.array(measured(metrics, split, source)["confusion"]["matrix"])
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    cells, counts, parts = [], [], []
    for row, annotated in enumerate(LABELS):
        for column, predicted in enumerate(LABELS):
            n, share, y = int(matrix[row, column]), float(shares[row, column]), 1 - row
            cells.append((column + 0.01, y + 0.01, column + 0.99, y + 0.99, share, annotated, predicted, f"{n:,}"))
            colour = "#ffffff" if share > 0.5 else "#25232E"
            counts.append((column + 0.5, y + 0.57, f"{n:,}", colour))
            parts.append((column + 0.5, y + 0.39, f"{percent(share)} of {annotated}", colour))
    heat = hv.Rectangles(cells, vdims=["share", "annotated", "predicted", "n"]).opts(
        color="share",
        cmap=theme.SEQUENTIAL,
        clim=(0, 1),
        line_color=None,
        tools=["hover"],
        hover_tooltips=[
            ("annotated", "@annotated"),
            ("predicted", "@predicted"),
            ("images", "@n"),
            ("share of the row", "@share{0.00 %}"),
        ],
    )
    text = [
        hv.Labels(counts, vdims=["text", "colour"]).opts(
            **theme.words("colour", 22, text_font_style="bold", text_align="center")
        ),
        hv.Labels(parts, vdims=["text", "colour"]).opts(**theme.words("colour", 12, text_align="center")),
    ]
    ticks = [(0.5, "female"), (1.5, "male")]
    return hv.Overlay([heat, *text]).opts(
        **theme.chart(
            "Which mistakes are made?",
            height=340,
            max_width=560,
            xlabel=f"Predicted label ({split} split, images)",
            ylabel="Annotated label",
            xticks=ticks,
            yticks=[(0.5, "male"), (1.5, "female")],
            xlim=(0, 2),
            ylim=(0, 2),
            show_legend=False,
            backend_opts={
                "xaxis.major_label_text_font_size": "13px",
                "yaxis.major_label_text_font_size": "13px",
                "yaxis.major_label_orientation": "vertical",
            },
        )
    )


def confusion_matrix_reading(metrics: dict[str, Any], split: str, source: str | None = None) -> str:
    """Mistakes of either kind."""
    matrix = np.array(measured(metrics, split, source)["confusion"]["matrix"])
    wrong = matrix[0, 1], matrix[1, 0]
    rates = [n / max(total, 1) for n, total in zip(wrong, matrix.sum(axis=1), strict=True)]
    return (
        f"Of {matrix.sum():,} {split} images {matrix.trace():,} ({percent(matrix.trace() / max(matrix.sum(), 1))}) are "
        f"predicted as annotated; {wrong[0]:,} labelled female ({percent(rates[0])}) are taken for male and "
        f"{wrong[1]:,} labelled male ({percent(rates[1])}) for female."
    )


def reliability_diagram(metrics: dict[str, Any], split: str, names: Sequence[str]) -> hv.Overlay:
    """Share labelled male against predicted probability, with 95 % intervals; honest probabilities lie on the line.

    Parameters
    ----------
    metrics, split
        As in `measured`.
    names
        Sources to show, at most four.
    """
    line = hv.Curve([(0, 0), (100, 100)]).opts(color=theme.QUIET, line_dash="dashed", line_width=1.5)
    layers: list[hv.Element] = [line]
    for name, colour in zip(names, theme.CATEGORIES, strict=False):
        bins = [found for found in measured(metrics, split, name)["calibration"]["bins"] if found["images"]]
        largest = max(found["images"] for found in bins)
        bars, rows = [], []
        for found in bins:
            x, y, n = 100 * found["confidence"], 100 * found["share_male"], found["images"]
            low, high = wilson(round(found["share_male"] * n), n)
            bars.append((x, 100 * low, x, 100 * high))
            size = 6 + 10 * (n / largest) ** 0.5
            rows.append((x, y, name, size, f"{x:.1f} %", f"{y:.1f} %", f"{percent(low)} to {percent(high)}", f"{n:,}"))
        layers.append(hv.Segments(bars).opts(color=colour, alpha=0.5, line_width=2))
        facts = ["source", "size", "predicted", "annotated", "interval", "images"]
        layers.append(
            hv.Points(rows, vdims=facts, label=name).opts(
                color=colour,
                size="size",
                alpha=0.9,
                tools=["hover"],
                hover_tooltips=[
                    ("data set", "@source"),
                    ("mean predicted", "@predicted"),
                    ("labelled male", "@annotated"),
                    ("95 % interval", "@interval"),
                    ("images", "@images"),
                ],
            )
        )
    return hv.Overlay(layers).opts(
        **theme.chart(
            "Are probabilities honest?",
            height=420,
            max_width=560,
            xlabel="Predicted probability of male (%)",
            ylabel="Images labelled male (%)",
            xlim=(-3, 103),
            ylim=(-3, 103),
            show_grid=True,
            **theme.names_of(names),
        )
    )


def reliability_diagram_reading(metrics: dict[str, Any], split: str, names: Sequence[str]) -> str:
    """Expected calibration error of each source, in words."""
    errors = [(name, measured(metrics, split, name)) for name in names]
    told = ", ".join(
        f"{100 * found['calibration']['ece']:.1f} percentage points on {name} ({found['images']:,} images)"
        for name, found in errors
    )
    return (
        f"On average over {split} images, the predicted probability is off by {told} (expected calibration error, "
        "15 bins); points on the dashed line are exactly right, and large points stand for many images."
    )


def score_distribution(
    predictions: pd.DataFrame, split: str, band: dict[str, float], source: str | None = None
) -> hv.Overlay:
    """Histogram of scores by label, the uncertain band shaded; images are counted on a logarithmic axis.

    Parameters
    ----------
    predictions
        ``dataset, split, label, p_male`` and more; a row an image.
    split
        As in `measured`.
    band
        ``low`` and ``high`` in [0, 1]: scores strictly between are uncertain.
    source
        Data set; default: all.
    """
    scored = _scored(predictions, split, source)
    edges = np.linspace(0, 1, 26)
    most, floor = 1, 0.7
    layers: list[hv.Element] = []
    for label in LABELS:
        counts, _ = np.histogram(scored.loc[scored["label"] == label, "p_male"], edges)
        most = max(most, int(counts.max()))
        rows = [
            (
                100 * left,
                floor,
                100 * right,
                max(count, floor),
                label,
                f"{100 * left:.0f} to {100 * right:.0f} %",
                f"{count:,}",
            )
            for left, right, count in zip(edges[:-1], edges[1:], counts.tolist(), strict=True)
        ]
        layers.append(
            hv.Rectangles(rows, vdims=["label", "score", "images"], label=label).opts(
                color=LABEL_COLOURS[label],
                alpha=0.6,
                line_color=None,
                tools=["hover"],
                hover_tooltips=[("annotated", "@label"), ("score", "@score"), ("images", "@images")],
            )
        )
        x, y = np.repeat(100 * edges, 2), [floor, *np.repeat(np.maximum(counts, floor), 2), floor]
        layers.append(hv.Curve((x, y)).opts(color=LABEL_COLOURS[label], line_width=1.5))
    low, high = 100 * band["low"], 100 * band["high"]
    if high > low:
        shade = hv.Rectangles([(low, floor, high, most * 4)], label="uncertain").opts(
            color=LABEL_COLOURS["uncertain"], alpha=0.22, line_color=None
        )
        layers.insert(0, shade)
    return hv.Overlay(layers).opts(
        **theme.chart(
            "When is it uncertain?",
            height=340,
            xlabel="Predicted probability of male (%)",
            ylabel="Images (logarithmic)",
            xlim=(-1, 101),
            ylim=(floor, most * 2),
            logy=True,
            yformatter="%d",
            **theme.legend(columns=3),
        )
    )


def _scored(predictions: pd.DataFrame, split: str, source: str | None) -> pd.DataFrame:
    scored = predictions[predictions["split"] == split]
    if source is not None:
        scored = scored[scored["dataset"] == source]
    if scored.empty:
        raise UserError(f"this run holds no scores of single images of {source!r}: choose a whole data set")
    return scored


def score_distribution_reading(
    predictions: pd.DataFrame, split: str, band: dict[str, float], source: str | None = None
) -> str:
    """How many scores fall into the band, and how the rest is."""
    scored = _scored(predictions, split, source)
    p_male = scored["p_male"]
    uncertain = (p_male > band["low"]) & (p_male < band["high"])
    decided = scored[~uncertain]
    if decided.empty:
        return f"All {len(scored):,} {split} images score inside the band and are “uncertain”."
    right = ((decided["p_male"] >= 0.5) == (decided["label"] == "male")).mean()
    held = (
        f"{int(uncertain.sum()):,} of {len(scored):,} {split} images ({percent(uncertain.mean())}) score between "
        f"{percent(band['low'])} and {percent(band['high'])} and are “uncertain”"
    )
    return f"{held}; of the other {len(decided):,}, {percent(right)} are predicted as annotated."


def classification_report_table(metrics: dict[str, Any], split: str, source: str | None = None) -> pd.DataFrame:
    """Precision, recall and F1 of each label and their averages, as text to be shown.

    Parameters
    ----------
    metrics, split, source
        As in `measured`.

    Returns
    -------
    pandas.DataFrame
        Index: female, male, accuracy, macro average, weighted average; columns: Precision, Recall, F1, Images.
    """
    found = measured(metrics, split, source)
    report = found["report"]
    names = {"female": "Female", "male": "Male", "macro avg": "Macro average", "weighted avg": "Weighted average"}
    rows = {
        shown: [
            *(f"{report[name][key]:.3f}" for key in ("precision", "recall", "f1-score")),
            f"{report[name]['support']:,.0f}",
        ]
        for name, shown in names.items()
    }
    rows["Accuracy"] = ["", "", f"{found['accuracy']:.3f}", f"{found['images']:,}"]
    order = ["Female", "Male", "Accuracy", "Macro average", "Weighted average"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["Precision", "Recall", "F1", "Images"]).loc[order]
