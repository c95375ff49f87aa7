"""Metrics of the model: errors, calibration, and uncertain answers."""

from collections.abc import Sequence

import holoviews as hv
import hvplot.pandas  # noqa: F401 - gives tables `.hvplot`
import numpy as np
import pandas as pd

from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.core.stats import wilson
from analysis.core.words import extremes, percent, source_name
from analysis.figures import theme
from analysis.figures.guide import guided
from analysis.figures.rows import in_percent, points, with_errors
from analysis.figures.theme import LABEL_COLOURS
from analysis.results.records import Band, MetricsRecord, SplitMetrics


def sources(metrics: MetricsRecord) -> list[str]:
    """Names of the data sets that were measured, then of their subsets."""
    return [*metrics.sources, *metrics.subsets]


def measured(metrics: MetricsRecord, split: str, source: str | None = None) -> SplitMetrics:
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
        If the run has no metrics of that split and source.
    """
    named = metrics.sources | metrics.subsets
    measures = named.get(source or metrics.datasets[0], {}).get(split)
    if measures is None:
        raise UserError(f"this run has no metrics of the {split} split of {source!r}: run `meanface evaluate` again")
    return measures


def pooled_accuracy(parts: Sequence[SplitMetrics]) -> float:
    """Share of right answers, in [0, 1], over the images of several splits or sources together."""
    return sum(part.accuracy * part.images for part in parts) / sum(part.images for part in parts)


@guided(
    "Rows are the annotators’ labels, columns the model’s. A cell holds a number of images and its share of the "
    "row; the darker, the larger the share. A perfect model fills the diagonal alone.",
    view="metrics?view=accuracy",
)
def confusion_matrix(metrics: MetricsRecord, split: str, source: str | None = None) -> hv.Overlay:
    """Counts and row shares: rows are the annotators' labels, columns the model's.

    Parameters
    ----------
    metrics, split, source
        As in `measured`.
    """
    matrix = np.array(measured(metrics, split, source).confusion.matrix)
    cells = pd.DataFrame(
        {
            "annotated": np.repeat(LABELS, 2),
            "predicted": [*LABELS, *LABELS],
            "images": matrix.ravel(),
            "share": (100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)).ravel(),
        }
    )
    heat = cells.hvplot.heatmap(
        x="predicted",
        y="annotated",
        C="share",
        hover_cols=["images"],
        cmap=theme.SEQUENTIAL,
        clim=(0, 100),
        colorbar=False,
        flip_yaxis=True,
        responsive=True,
        hover_tooltips=[
            ("annotated", "@annotated"),
            ("predicted", "@predicted"),
            ("images", "@images{0,0}"),
            ("share of the row", "@share{0.00} %"),
        ],
    )
    words = cells.assign(
        count=cells["images"].map("{:,}".format),
        part=[f"{percent(row.share / 100)} of {row.annotated}" for row in cells.itertuples()],
        colour=np.where(cells["share"] > 50, "#ffffff", "#25232E"),
    )
    counts = hv.Labels(words, ["predicted", "annotated"], ["count", "colour"]).opts(
        text_color="colour", text_font_size="22px", text_font_style="bold", backend_opts={"glyph.y_offset": -9}
    )
    parts = hv.Labels(words, ["predicted", "annotated"], ["part", "colour"]).opts(
        text_color="colour", backend_opts={"glyph.y_offset": 13}
    )
    return (heat * counts * parts).opts(
        **theme.chart(
            "Which errors are made?",
            height=340,
            max_width=560,
            xlabel=f"Predicted label ({split} split, images)",
            ylabel="Annotated label",
            show_legend=False,
            backend_opts={
                "xaxis.major_label_text_font_size": "13px",
                "yaxis.major_label_text_font_size": "13px",
                "yaxis.major_label_orientation": "vertical",
            },
        )
    )


def confusion_matrix_reading(metrics: MetricsRecord, split: str, source: str | None = None) -> str:
    """Number and rate of both kinds of errors."""
    matrix = np.array(measured(metrics, split, source).confusion.matrix)
    wrong = matrix[0, 1], matrix[1, 0]
    rates = [n / max(total, 1) for n, total in zip(wrong, matrix.sum(axis=1), strict=True)]
    return (
        f"Of {matrix.sum():,} {split} images {matrix.trace():,} ({percent(matrix.trace() / max(matrix.sum(), 1))}) are "
        f"predicted as annotated; {wrong[0]:,} labelled female ({percent(rates[0])}) are predicted male and "
        f"{wrong[1]:,} labelled male ({percent(rates[1])}) female."
    )


def as_served_table(predictions: pd.DataFrame, split: str, source: str) -> pd.DataFrame:
    """What becomes of the images of a split as the model is served, by name: TN, FP, FN and TP, and "uncertain".

    Parameters
    ----------
    predictions
        ``dataset, split, label, decision``; male is the positive class.
    split, source
        Of the images.

    Returns
    -------
    pandas.DataFrame
        Index: what annotators said; columns: what the model answers; cells formatted for display.
    """
    chosen = predictions[(predictions["split"] == split) & (predictions["dataset"] == source)]
    names = {
        ("female", "female"): "true negatives (TN)",
        ("female", "male"): "false positives (FP)",
        ("male", "female"): "false negatives (FN)",
        ("male", "male"): "true positives (TP)",
    }
    rows = {}
    for label in LABELS:
        own = chosen.loc[chosen["label"] == label, "decision"]
        counts = own.value_counts().reindex([*LABELS, "uncertain"], fill_value=0)
        rows[f"Labelled {label}"] = {
            f"Answered {answer}" if answer in LABELS else "Uncertain": f"{count:,}"
            + (f" {names[label, answer]}" if (label, answer) in names else "")
            + f", {percent(count / max(len(own), 1))}"
            for answer, count in counts.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index")[["Answered female", "Uncertain", "Answered male"]]


@guided(
    "Images are sorted into bins by their predicted probability. A point above the diagonal says that more of a "
    "bin are labelled male than was predicted, one below that fewer are; bars are 95 % intervals.",
    view="metrics?view=scores",
)
def reliability_diagram(metrics: MetricsRecord, split: str, names: Sequence[str]) -> hv.Overlay:
    """Share labelled male against predicted probability, with 95 % intervals; calibrated probabilities lie on the line.

    Parameters
    ----------
    metrics, split
        As in `measured`.
    names
        Sources to show, at most four.
    """
    layers: list[hv.core.Dimensioned] = [theme.diagonal()]
    tips = [
        ("data set", "@source"),
        ("mean predicted", "@confidence{0.0} %"),
        ("labelled male", "@share_male{0.0} %"),
        ("95 % interval", "@low{0.0} % to @high{0.0} %"),
        ("images", "@images{0,0}"),
    ]
    for name, colour in zip(names, theme.CATEGORIES, strict=False):
        rows = [bin_.as_json() for bin_ in measured(metrics, split, name).calibration.bins]
        bins = pd.DataFrame(rows).query("images > 0")
        ends = [wilson(round(row.share_male * row.images), row.images) for row in bins.itertuples()]
        bins = bins.assign(
            low=[low for low, _ in ends],
            high=[high for _, high in ends],
            source=source_name(name),
            size=6 + 10 * (bins["images"] / bins["images"].max()) ** 0.5,
        )
        bins = with_errors(in_percent(bins, "confidence", "share_male", "low", "high"), "share_male")
        layers += [
            hv.ErrorBars(bins, "confidence", ["share_male", "below", "above"]).opts(color=colour, line_width=2),
            points(
                bins, "confidence", "share_male", tips, label=source_name(name), color=colour, size="size", alpha=0.9
            ),
        ]
    return hv.Overlay(layers).opts(
        **theme.chart(
            "Is it calibrated?",
            height=420,
            max_width=560,
            xlabel="Predicted probability of male (%)",
            ylabel="Images labelled male (%)",
            xlim=(-3, 103),
            ylim=(-3, 103),
            show_grid=True,
            **theme.names_of([source_name(name) for name in names]),
        )
    )


def reliability_diagram_reading(metrics: MetricsRecord, split: str, names: Sequence[str]) -> str:
    """Smallest and largest calibration error of some sources, also of those not drawn; how to read the diagram."""
    return (
        f"{calibration_reading(metrics, split, names)} Calibrated probabilities lie on the dashed line; larger points "
        "stand for more images."
    )


def calibration_reading(metrics: MetricsRecord, split: str, names: Sequence[str]) -> str:
    """Smallest and largest expected calibration error of some sources, in a sentence."""
    errors = {}
    for name in names:
        measures = measured(metrics, split, name)
        error = measures.calibration.ece
        errors[source_name(name)] = (error, f"{100 * error:.1f} percentage points", f"{measures.images:,} images")
    bins = len(measured(metrics, split, names[0]).calibration.bins)
    parts = any(", " in name for name in names)
    over = f", over {len(names)} data sets{' and parts of them' if parts else ''}," if len(names) > 1 else ""
    return (
        f"The expected calibration error on the {split} split, the average distance between probability and observed "
        f"share in {bins} bins{over or ','} is {extremes(errors, lowest_first=True)}."
    )


def temperature_reading(metrics: MetricsRecord) -> str:
    """The temperature that calibrates the scores, and those that single sources would choose."""
    text = (
        f"One temperature for all faces, {metrics.temperature:.2f}, divides the logits, whatever the network made of "
        "single faces before. It minimises the log loss on the validation splits, with equal weight for each source"
    )
    own = sorted((value, name) for name, value in metrics.temperatures.items())
    if len(own) < 2:
        return f"{text}."
    (low, lowest), (high, highest) = own[0], own[-1]
    return f"{text}; fitted to each separately, it would be {low:.2f} ({lowest}) to {high:.2f} ({highest})."


def coverage_reading(metrics: MetricsRecord, split: str) -> str:
    """Sources of which most and fewest images are decided, and how accurate the decisions are."""
    shares = {}
    for name in sources(metrics):
        decided = measured(metrics, split, name).decided
        right = "none is decided" if decided.accuracy is None else f"{percent(decided.accuracy)} of them right"
        shares[source_name(name)] = (decided.coverage, percent(decided.coverage), right)
    return f"On the {split} splits, the share of decided images is {extremes(shares)}."


@guided(
    "Each bar counts the images of one label with such a score. The axis is logarithmic, so that a few images can "
    "be seen beside thousands; compare positions rather than areas. Within the shaded band the answer is "
    "“uncertain”.",
    view="metrics?view=decisions",
)
def score_distribution(predictions: pd.DataFrame, split: str, band: Band, source: str | None = None) -> hv.Overlay:
    """Histogram of scores by label on a logarithmic axis; the uncertain band is shaded.

    Parameters
    ----------
    predictions
        ``dataset, split, label, p_male`` and more; one row per image.
    split
        As in `measured`.
    band
        ``low`` and ``high`` in [0, 1]: scores strictly between are uncertain.
    source
        Data set; default: all.
    """
    scored = _scored(predictions, split, source)
    edges = np.linspace(0, 1, 26)
    floor = 0.7  # a logarithmic axis has no zero
    low, high = 100 * band.low, 100 * band.high
    layers: list[hv.Element] = []
    if high > low:
        layers.append(hv.VSpans([(low, high)], label="uncertain").opts(color=LABEL_COLOURS["uncertain"], alpha=0.22))
    most = 1
    for label in LABELS:
        counts, _ = np.histogram(scored.loc[scored["label"] == label, "p_male"], edges)
        most = max(most, int(counts.max()))
        bins = (100 * edges, np.maximum(counts, floor), counts, [label] * len(counts))
        layers += [
            hv.Histogram(bins, vdims=["height", "images", "label"], label=label).opts(
                color=LABEL_COLOURS[label],
                alpha=0.6,
                logy=True,
                tools=["hover"],
                hover_tooltips=[
                    ("annotated", "@label"),
                    ("score", "@left{0} to @right{0} %"),
                    ("images", "@images{0,0}"),
                ],
            ),
            hv.Curve((np.repeat(100 * edges, 2), [floor, *np.repeat(np.maximum(counts, floor), 2), floor])).opts(
                color=LABEL_COLOURS[label], line_width=1.5
            ),
        ]
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
        raise UserError(f"this run has no scores of single images of {source!r}: choose a whole data set")
    return scored


def score_distribution_reading(predictions: pd.DataFrame, split: str, band: Band, source: str | None = None) -> str:
    """Share of scores in the band, and accuracy outside of it."""
    scored = _scored(predictions, split, source)
    p_male = scored["p_male"]
    uncertain = (p_male > band.low) & (p_male < band.high)
    decided = scored[~uncertain]
    if decided.empty:
        return f"All {len(scored):,} {split} images score inside the band and are “uncertain”."
    right = ((decided["p_male"] >= 0.5) == (decided["label"] == "male")).mean()
    return (
        f"{int(uncertain.sum()):,} of {len(scored):,} {split} images ({percent(uncertain.mean())}) score between "
        f"{percent(band.low)} and {percent(band.high)} and are “uncertain”; of the other {len(decided):,}, "
        f"{percent(right)} are predicted as annotated."
    )


def classification_report_table(metrics: MetricsRecord, split: str, source: str | None = None) -> pd.DataFrame:
    """Precision, recall and F1 of each label and their averages, formatted for display.

    Parameters
    ----------
    metrics, split, source
        As in `measured`.

    Returns
    -------
    pandas.DataFrame
        Index: female, male, accuracy, macro average, weighted average; columns: Precision, Recall, F1, Images.
    """
    measures = measured(metrics, split, source)
    report = measures.report
    scores = {
        "Female": report.female,
        "Male": report.male,
        "Macro average": report.macro_avg,
        "Weighted average": report.weighted_avg,
    }
    rows = {
        title: [f"{row.precision:.3f}", f"{row.recall:.3f}", f"{row.f1_score:.3f}", f"{row.support:,.0f}"]
        for title, row in scores.items()
    }
    rows["Accuracy"] = ["", "", f"{measures.accuracy:.3f}", f"{measures.images:,}"]
    order = ["Female", "Male", "Accuracy", "Macro average", "Weighted average"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["Precision", "Recall", "F1", "Images"]).loc[order]
