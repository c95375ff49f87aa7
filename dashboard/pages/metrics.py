"""The page of the model's metrics."""

from collections.abc import Callable, Collection
from functools import partial
from html import escape
from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui
import param

from analysis.core.errors import UserError
from analysis.core.schema import LABELS
from analysis.core.words import percent
from analysis.figures import (
    crossing,
    curves,
    datasheets,
    experiments,
    explanation,
    fairness,
    metrics,
    middle,
    paired,
    peers,
    promise,
    robustness,
    tables,
    training,
    two_runs,
)
from analysis.results.records import Band, LabelNoise, SplitMetrics
from dashboard import chrome, parts
from dashboard.pages import crossing as cells_as
from dashboard.pages.decisions import Decisions
from dashboard.pages.everyone import everyone
from dashboard.pages.runs import pair, runs_here
from dashboard.pages.trials import Trials
from dashboard.parts import View


def _of_one(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Call a function of several sources for the one that is chosen."""
    return lambda data, split, source: function(data, split, [source], **options)


def _cross_source(cross_source: pd.DataFrame) -> pd.DataFrame:
    """The table with runs side by side, which are fewer than sources."""
    return tables.cross_source_table(cross_source).T


_ROC = (_of_one(curves.roc_curve), _of_one(curves.roc_curve_reading))
_CALIBRATION = (_of_one(metrics.reliability_diagram), _of_one(metrics.reliability_diagram_reading))
_PRECISION = {
    label: (
        _of_one(curves.precision_recall_curve, label=label),
        _of_one(curves.precision_recall_curve_reading, label=label),
    )
    for label in LABELS
}
_ATTRIBUTES = (partial(fairness.group_gaps, people=False), partial(fairness.group_gaps_reading, people=False))

VIEWS: dict[str, tuple[View, ...]] = {
    "accuracy": (
        View(
            "Confusion matrix and report",
            metrics.confusion_matrix,
            metrics.confusion_matrix_reading,
            "metrics split source",
        ),
        View("", metrics.classification_report_table, None, "metrics split source"),
        View("All data sets", tables.source_table, tables.source_table_reading, "metrics split"),
        View(
            "Comparison of runs",
            _cross_source,
            tables.cross_source_reading,
            "cross_source",
            about="Rows: what a run was tested on. Columns: what it was trained on. Cells: accuracy, %.",
        ),
        View(
            "Who gained and who lost",
            paired.paired_table,
            None,
            "paired",
            about="Images that only this run has right, and that only the run it is compared with has right.",
        ),
        View("", paired.gains, paired.gains_reading, "paired"),
        View(
            "What else can be installed",
            peers.peers_chart,
            peers.peers_reading,
            "peers",
            about="Another package on the same photos, faces found by each itself.",
        ),
        View("", peers.peers_table, None, "peers"),
    ),
    "scores": (
        View(
            "Calibration",
            *_CALIBRATION,
            "metrics split source",
            about="Of faces with a score of 0.8, eight in ten should be labelled male.",
        ),
        View("Between 20 and 80 %", middle.middle_chart, middle.middle_reading, "middle split"),
        View(
            "Scores and the uncertain band",
            metrics.score_distribution,
            metrics.score_distribution_reading,
            "predictions split band source",
        ),
        View("Is the promise kept?", promise.promise_table, promise.groups_reading, "promise metrics"),
        View("ROC curve", *_ROC, "curves split source", "metrics split source"),
        View("Precision and recall", *_PRECISION["female"], "curves split source", "metrics split source"),
        View("", *_PRECISION["male"], "curves split source", "metrics split source"),
    ),
    "groups": (
        View("People and sources", fairness.group_gaps, fairness.group_gaps_reading, "groups"),
        View("", fairness.group_table, None, "groups"),
        View("Age, race and label together", fairness.cell_accuracy, fairness.cell_accuracy_reading, "cells"),
        View("", fairness.cell_table, None, "cells"),
        View("Attributes", *_ATTRIBUTES, "groups"),
        View(
            "Compared with other runs",
            fairness.gap_table,
            None,
            "groups",
            about="Largest gap of each kind, in percentage points, in this run and in the runs it is compared with.",
        ),
    ),
    "robustness": (
        View(
            "Robustness",
            robustness.accuracy_curve,
            robustness.accuracy_curve_reading,
            "robustness degradation",
            about="Accuracy on aligned test faces as their quality is reduced step by step.",
        ),
        View(
            "",
            robustness.degraded_pictures,
            None,
            "degraded robustness degradation",
        ),
    ),
    "explanation": (
        View("What the model looks at", explanation.heat_maps, explanation.heat_maps_reading, "explanation"),
        View("", explanation.faithfulness, explanation.faithfulness_reading, "explanation"),
        View("Doubtful labels", tables.label_noise_table, tables.label_noise_reading, "metrics", "metrics label_noise"),
    ),
    "training": (
        View("Training", training.training_history, training.training_history_reading, "history"),
        View(
            "Ablation",
            experiments.ablation_chart,
            experiments.ablation_reading,
            "ablation",
            "ablation ablation_budget",
            about="Short trainings from random weights with one thing changed, compared on the same validation faces; "
            "not of the published network.",
        ),
        View(
            "Learning curve",
            experiments.learning_chart,
            experiments.learning_reading,
            "learning learning_record",
            about="Trainings from random weights that differ only in the number of faces to learn from.",
        ),
        View(
            "Hyperparameter search",
            experiments.importance_chart,
            experiments.importance_reading,
            "search_record",
            about="Short trainings from random weights with other settings each; not of the published network.",
        ),
    ),
}


class MetricsPage(chrome.ExplorerPage):
    """How well the model does, one of `VIEWS` at a time: only what is chosen is drawn."""

    view = param.Selector(
        default="decisions",
        objects={
            "Decisions": "decisions",
            "Accuracy": "accuracy",
            "Scores": "scores",
            "Groups": "groups",
            "Any two groups": "crossing",
            "Two runs": "runs",
            "Robustness": "robustness",
            "Explanation": "explanation",
            "Training": "training",
        },
        doc="Which metrics to show.",
    )
    source = param.Selector(objects=[], doc="Data set, or subset of one, on which the model is measured.")
    split = param.Selector(
        default="test",
        objects={"Test": "test", "Validation": "validation", "Training": "train"},
        doc="Split on which the model is measured.",
    )
    degradation = param.Selector(objects=[], doc="How the quality of photos is reduced.")
    rows = param.Selector(objects=[], doc="What the rows of the grid of groups differ in.")
    columns = param.Selector(objects=[], doc="What its columns differ in.")
    run = param.Selector(objects=[], doc="Run that is compared.")
    other = param.Selector(objects=[], doc="Run that it is compared with.")
    order = param.Selector(objects={"As a grid": "grid", "Lowest first": "lowest"}, doc="How to show the groups.")
    brush = param.String(doc="Ranges of the search's settings; see `dashboard.pages.trials`.")
    low = param.Number(bounds=(0, 1), doc="Largest score that is answered by female; by default as served.")
    high = param.Number(bounds=(0, 1), doc="Smallest score that is answered by male; by default as served.")

    path = "/explore/metrics"
    title = "Metrics"
    lead = (
        "How often the model agrees with the annotators, and how far its scores can be trusted. Only the test splits "
        "were never used to make or choose the model."
    )
    in_url = (
        "view",
        "source",
        "split",
        "degradation",
        "rows",
        "columns",
        "order",
        "run",
        "other",
        "brush",
        "low",
        "high",
    )

    def __init__(self, shared: chrome.Shared, **params: Any) -> None:
        measured = self._measured(shared)
        super().__init__(
            shared, **{name: names[0] for name, names in measured.items() if names} | self._served(shared) | params
        )
        self._offer_groupings()
        self._runs = runs_here(self.results)
        for name, place in (("run", 0), ("other", 1)):
            if len(self._runs) > 1:
                self.param[name].objects = list(self._runs)
                setattr(self, name, list(self._runs)[place])

    def _offer_groupings(self) -> None:
        """Offer what faces can be grouped by; nothing where the run has no row per image."""
        try:
            names = crossing.groupings(everyone(self.results).rows)
        except UserError:
            return  # a notice says so where the grid would be shown
        for name, wanted in (("rows", "Label"), ("columns", "Age")):
            if names:
                self.param[name].objects = names
                setattr(self, name, names.get(wanted, next(iter(names.values()))))

    @staticmethod
    def _served(shared: chrome.Shared) -> dict[str, float]:
        """Thresholds as served; none where the run was not evaluated."""
        try:
            band = shared.results.metrics.band
        except UserError:
            return {}  # a notice says so where the result would be shown
        return {"low": band.low, "high": band.high}

    def _measured(self, shared: chrome.Shared) -> dict[str, list[str]]:
        """Offer the sources and degradations of the run; none where it was not evaluated."""
        measured: dict[str, list[str]] = {"source": [], "degradation": []}
        try:
            measured["source"] = metrics.sources(shared.results.metrics)
            measured["degradation"] = robustness.degradations(shared.results.robustness)
        except UserError:
            pass  # a notice says so where the result would be shown
        for name, names in measured.items():
            self.param[name].objects = names
        return measured

    def spoilt(self, values: dict[str, Any], refused: set[str]) -> Collection[str]:
        """Thresholds the wrong way round are none; see `dashboard.address`."""
        return ["low", "high"] if values["low"] > values["high"] else []

    @property
    def band(self) -> Band:
        """Scores between which the model answers "uncertain"."""
        return self.results.metrics.band

    @property
    def label_noise(self) -> LabelNoise:
        """Label noise as the data study estimates it."""
        return self.results.study.label_noise

    def measured(self) -> SplitMetrics:
        """Metrics of the chosen split and source."""
        return metrics.measured(self.results.metrics, self.split, self.source)

    @param.depends("view")
    def _choices(self) -> Any:
        choices: list[Any] = []
        if self.view == "runs" and self.run:
            wide = {"description": "", "size": "small", "width": 240, "margin": 0}
            choices += [
                pmui.Select.from_param(self.param[name], label=label, **wide)
                for name, label in (("run", "Run"), ("other", "Compared with"))
            ]
        if self.view in ("decisions", "accuracy", "scores") or (self.view == "runs" and self.run):
            if len(self.param["source"].objects) > 1:
                choices.append(parts.choice(self.param["source"]))
            choices.append(parts.choice(self.param["split"]))
        if self.view == "crossing" and self.rows:
            wide = {"description": "", "size": "small", "width": 240, "margin": 0}
            choices += [
                pmui.Select.from_param(self.param["rows"], label="Rows", **wide),
                pmui.Select.from_param(self.param["columns"], label="Columns", **wide),
                parts.choice(self.param["order"]),
                parts.choice(self.param["split"]),
            ]
        if self.view == "robustness":
            choices.append(parts.choice(self.param["degradation"]))
        return parts.controls(*choices) if choices else parts.nothing()

    @param.depends("view", "source")
    def _told(self) -> Any:
        """What the photos are of the chosen source, and of all of them."""
        if self.view not in ("decisions", "accuracy", "scores", "groups", "crossing", "runs"):
            return parts.nothing()
        lines = {name: datasheets.source_line(name) for name in self.param["source"].objects}
        known = [f"<li>{escape(line)}</li>" for line in dict.fromkeys(lines.values()) if line]
        if not known:
            return parts.nothing()
        chosen = lines.get(self.source, "") if self.view in ("decisions", "accuracy", "scores", "runs") else ""
        return parts.html(
            (f"<p>{escape(chosen)}.</p>" if chosen else "")
            + f"<details><summary>What the sources are</summary><ul>{''.join(known)}</ul></details>",
            "sources",
        )

    @parts.or_notice
    @param.depends("source", "split")
    def _facts(self) -> Any:
        measured = self.measured()
        low, high = measured.accuracy_interval
        decided = measured.decided
        return parts.facts(
            {
                "Accuracy": (percent(measured.accuracy), f"95 % interval {percent(low)} to {percent(high)}"),
                "Balanced accuracy": percent(measured.balanced_accuracy),
                "Area under ROC": percent(measured.roc_auc, 2),
                "Accuracy when certain": (
                    "–" if decided.accuracy is None else percent(decided.accuracy),
                    f"{decided.uncertain:,} of {measured.images:,} are “uncertain”",
                ),
                "Calibration error": (percent(measured.calibration.ece), f"Brier score {measured.brier:.3f}"),
            }
        )

    @parts.or_notice
    @param.depends("source", "split")
    def _decisions(self) -> Any:
        predictions = self.results.predictions
        scored = predictions[predictions["split"] == self.split]
        decisions = Decisions(scored, self.source, (self.band.low, self.band.high), low=self.low, high=self.high)
        decisions.link(self, low="low", high="high", bidirectional=True)
        return parts.section(
            "When should it decide?",
            decisions,
            about=(
                "Drag the handles, or move them with the arrow keys: faces that score between them are “uncertain”, "
                "and all numbers follow."
            ),
        )

    @parts.or_notice
    @param.depends("rows", "columns", "order", "split")
    def _crossing(self) -> Any:
        rows = everyone(self.results).rows
        if not self.rows or "p_male" not in rows:
            raise UserError("this run has no scores of single images that could be grouped: evaluate it first")
        cells = crossing.crossed_accuracy(rows[rows["split"] == self.split], self.rows, self.columns)
        if cells.empty:
            raise UserError("no face of this split is in both kinds of groups: choose others")
        write = cells_as.grid if self.order == "grid" else cells_as.ranking
        return parts.section(
            "Any two groups",
            parts.scrolling(write(cells, self.rows, self.columns, self.split)),
            parts.text(crossing.crossed_reading(cells)),
            about="Share of right answers where two kinds of groups cross, each face answered by the likelier label. A "
            "click leads to the faces of a cell; there, right and wrong are said of those that the model decides on.",
        )

    @parts.or_notice
    @param.depends("run", "other", "source", "split")
    def _two_runs(self) -> Any:
        if not self.run:
            raise UserError(
                "this is the only evaluated run on this machine: another one that `meanface evaluate` has scored can "
                "be compared with it here. How this run compares with those that it was evaluated against stands under "
                "“Accuracy”"
            )
        if self.run == self.other:
            raise UserError(f"{self.run} is chosen twice: choose another run to compare it with")
        images, measures = pair(self._runs[self.run], self._runs[self.other], self.source, self.split)
        names = self.run, self.other
        curves = pn.FlexBox(
            *(
                pn.Column(parts.figure(draw(images, *names)), margin=0, styles={"flex": "1 1 420px", "min-width": "0"})
                for draw in (two_runs.roc_of_both, two_runs.reliability_of_both)
            ),
            gap="20px 32px",
            sizing_mode="stretch_width",
            margin=0,
        )
        return parts.section(
            "Two runs on the same images",
            parts.table(two_runs.difference_table(measures, *names), numbers=True),
            parts.text(two_runs.difference_reading(images, *names)),
            curves,
        )

    def _trials(self) -> list[Any]:
        if not self.results.has_search:
            return []
        trials = Trials(self.results.search, brush=self.brush)
        trials.link(self, brush="brush", bidirectional=True)
        reading = experiments.parallel_coordinates_reading(self.results.search, self.results.search_record)
        return [parts.section("Which settings work together?", trials, parts.text(reading))]

    @param.depends("view")
    def _view(self) -> Any:
        if self.view == "crossing":
            return pn.panel(self._crossing, sizing_mode="stretch_width")
        if self.view == "runs":
            return parts.later(self._two_runs)
        if self.view == "decisions":
            return pn.panel(self._decisions, sizing_mode="stretch_width")
        if self.view == "training":
            return parts.stack(*parts.sections(self, VIEWS["training"]), *self._trials(), gap=28)
        facts = [pn.panel(self._facts, sizing_mode="stretch_width")] if self.view == "accuracy" else []
        return parts.stack(*facts, *parts.sections(self, VIEWS[self.view]), gap=28)

    def content(self) -> list[Any]:
        """List the choices and the chosen view."""
        return [
            parts.controls(parts.choice(self.param.view)),
            parts.stack(
                pn.panel(self._choices, sizing_mode="stretch_width"), pn.panel(self._told, sizing_mode="stretch_width")
            ),
            pn.panel(self._view, sizing_mode="stretch_width"),
        ]
