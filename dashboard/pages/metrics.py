"""The page of the model's metrics."""

from typing import Any

import panel as pn
import param

from analysis.figures import curves, experiments, explanation, fairness, metrics, robustness, tables, training
from dashboard import chrome

_RIGHT = "td, thead th + th { text-align: right }"


class MetricsPage(chrome.ExplorerPage):
    """How well the model does, one view at a time: each draws only what it shows."""

    view = param.Selector(
        default="accuracy",
        objects={
            "Accuracy": "accuracy",
            "Scores": "scores",
            "Groups": "groups",
            "Worse photos": "robustness",
            "Explanation": "explanation",
            "Training": "training",
        },
        doc="What is shown.",
    )
    source = param.Selector(objects=[], doc="Data set, or subset of one, that is measured.")
    split = param.Selector(
        default="test",
        objects={"Test": "test", "Validation": "validation", "Training": "train"},
        doc="Part of the data that is measured.",
    )
    degradation = param.Selector(objects=[], doc="How photos are made worse.")

    path = "/explore/metrics"
    title = "Metrics"
    lead = (
        "How often the model says what the annotators said, and how far its scores can be trusted. Only the test "
        "splits were never used to make or choose the model."
    )
    in_url = ("view", "source", "split", "degradation")

    def __init__(self, shared: chrome.Shared, **params: Any) -> None:
        known = self._known(shared)
        super().__init__(shared, **{name: names[0] for name, names in known.items() if names} | params)

    def _known(self, shared: chrome.Shared) -> dict[str, list[str]]:
        """What the run was measured on and by; nothing where it was not."""
        known: dict[str, list[str]] = {"source": [], "degradation": []}

        def look() -> None:
            known["source"] = metrics.sources(shared.results.metrics)
            known["degradation"] = robustness.degradations(shared.results.robustness)

        chrome.attempt(look)  # a part that is missing says so where it would be shown
        for name, names in known.items():
            self.param[name].objects = names
        return known

    def found(self) -> dict[str, Any]:
        """Metrics of the split and source that are shown."""
        return metrics.measured(self.results.metrics, self.split, self.source)

    @param.depends("view", "source", "split")
    def _choices(self) -> Any:
        choices = []
        if self.view in ("accuracy", "scores"):
            if len(self.param["source"].objects) > 1:
                choices.append(chrome.choice(self.param["source"]))
            choices.append(chrome.choice(self.param["split"]))
        if self.view == "robustness":
            choices.append(chrome.choice(self.param["degradation"]))
        return chrome.controls(*choices) if choices else chrome.nothing()

    @param.depends("source", "split")
    def _facts(self) -> Any:
        def make() -> Any:
            found = self.found()
            low, high = found["accuracy_interval"]
            decided = found["decided"]
            right = "nothing" if decided["accuracy"] is None else f"{decided['accuracy']:.2%}"
            return chrome.facts(
                {
                    "Accuracy": (f"{found['accuracy']:.2%}", f"95 % interval {low:.1%} to {high:.1%}"),
                    "Balanced accuracy": f"{found['balanced_accuracy']:.2%}",
                    "Area under ROC": f"{found['roc_auc']:.4f}",
                    "Where it decides": (right, f"right; {decided['uncertain']:,} of {found['images']:,} uncertain"),
                    "Calibration error": (f"{found['calibration']['ece']:.3f}", f"Brier score {found['brier']:.3f}"),
                }
            )

        return chrome.attempt(make)

    @param.depends("source", "split")
    def _confusion(self) -> Any:
        return chrome.attempt(
            lambda: chrome.figure(
                metrics.confusion_matrix(self.results.metrics, self.split, self.source),
                metrics.confusion_matrix_reading(self.results.metrics, self.split, self.source),
            )
        )

    @param.depends("source", "split")
    def _report(self) -> Any:
        return chrome.attempt(
            lambda: _table(metrics.classification_report_table(self.results.metrics, self.split, self.source))
        )

    @param.depends("split")
    def _sources(self) -> Any:
        return chrome.attempt(
            lambda: pn.Column(
                _table(tables.source_table(self.results.metrics, self.split)),
                chrome.text(tables.source_table_reading(self.results.metrics, self.split)),
                sizing_mode="stretch_width",
                margin=0,
            )
        )

    def _runs(self) -> Any:
        return chrome.attempt(
            lambda: pn.Column(
                _table(tables.cross_source_table(self.results.cross_source)),
                chrome.text(tables.cross_source_reading(self.results.cross_source)),
                sizing_mode="stretch_width",
                margin=0,
            )
        )

    @param.depends("source", "split")
    def _calibration(self) -> Any:
        return chrome.attempt(
            lambda: chrome.figure(
                metrics.reliability_diagram(self.results.metrics, self.split, [self.source]),
                metrics.reliability_diagram_reading(self.results.metrics, self.split, [self.source]),
            )
        )

    @param.depends("source", "split")
    def _roc(self) -> Any:
        return chrome.attempt(
            lambda: chrome.figure(
                curves.roc_curve(self.results.curves, self.split, [self.source]),
                curves.roc_curve_reading(self.results.metrics, self.split, [self.source]),
            )
        )

    def _precision(self, label: str) -> Any:
        return chrome.attempt(
            lambda: chrome.figure(
                curves.precision_recall_curve(self.results.curves, self.split, [self.source], label),
                curves.precision_recall_curve_reading(self.results.metrics, self.split, [self.source], label),
            )
        )

    @param.depends("source", "split")
    def _precision_female(self) -> Any:
        return self._precision("female")

    @param.depends("source", "split")
    def _precision_male(self) -> Any:
        return self._precision("male")

    @param.depends("source", "split")
    def _scores(self) -> Any:
        def make() -> Any:
            predictions, band = self.results.predictions, self.results.metrics["band"]
            return chrome.figure(
                metrics.score_distribution(predictions, self.split, band, self.source),
                metrics.score_distribution_reading(predictions, self.split, band, self.source),
            )

        return chrome.attempt(make)

    def _people(self) -> Any:
        groups = self.results.groups
        return chrome.figure(fairness.group_gaps(groups), fairness.group_gaps_reading(groups))

    def _attributes(self) -> Any:
        groups = self.results.groups
        return chrome.figure(
            fairness.group_gaps(groups, people=False), fairness.group_gaps_reading(groups, people=False)
        )

    def _group_table(self) -> Any:
        return _table(fairness.group_table(self.results.groups))

    def _gap_table(self) -> Any:
        return _table(fairness.gap_table(self.results.groups))

    @param.depends("degradation")
    def _robustness(self) -> Any:
        return chrome.attempt(
            lambda: chrome.figure(
                robustness.accuracy_curve(self.results.robustness, self.degradation),
                robustness.accuracy_curve_reading(self.results.robustness, self.degradation),
            )
        )

    def _heat(self) -> Any:
        found = self.results.explanation
        return chrome.figure(explanation.heat_maps(found), explanation.heat_maps_reading(found))

    def _faithfulness(self) -> Any:
        found = self.results.explanation
        return chrome.figure(explanation.faithfulness(found), explanation.faithfulness_reading(found))

    def _noise(self) -> Any:
        return pn.Column(
            _table(tables.label_noise_table(self.results.metrics)),
            chrome.text(tables.label_noise_reading(self.results.metrics)),
            sizing_mode="stretch_width",
            margin=0,
        )

    def _training(self) -> Any:
        history = self.results.history
        return chrome.figure(training.training_history(history), training.training_history_reading(history))

    def _ablation(self) -> Any:
        table = self.results.ablation
        return chrome.figure(
            experiments.ablation_chart(table), experiments.ablation_reading(table, self.results.ablation_budget)
        )

    def _importance(self) -> Any:
        record = self.results.search_record
        return chrome.figure(experiments.importance_chart(record), experiments.importance_reading(record))

    def _trials(self) -> Any:
        trials, record = self.results.search, self.results.search_record
        return chrome.figure(
            experiments.parallel_coordinates(trials), experiments.parallel_coordinates_reading(trials, record)
        )

    @param.depends("view")
    def _view(self) -> Any:
        """The sections of the view; only they are drawn."""
        sections: dict[str, list[Any]] = {
            "accuracy": [
                pn.panel(self._facts, sizing_mode="stretch_width"),
                chrome.section("Right and wrong", chrome.later(self._confusion), chrome.later(self._report)),
                chrome.section("Every source", chrome.later(self._sources)),
                chrome.section(
                    "Runs side by side",
                    _safely(self._runs),
                    about="Rows are what a run was trained on, columns what it was tested on: accuracy, %.",
                ),
            ],
            "scores": [
                chrome.section(
                    "Calibration",
                    chrome.later(self._calibration),
                    about="Of faces with a score of 0.8, eight in ten should be labelled male.",
                ),
                chrome.section("Scores, and where the model abstains", chrome.later(self._scores)),
                chrome.section("ROC curve", chrome.later(self._roc)),
                chrome.section(
                    "Precision and recall", chrome.later(self._precision_female), chrome.later(self._precision_male)
                ),
            ],
            "groups": [
                chrome.section("Age, race and label", _safely(self._people), _safely(self._group_table)),
                chrome.section("Attributes", _safely(self._attributes)),
                chrome.section(
                    "Before and after",
                    _safely(self._gap_table),
                    about="Largest gap of each kind, in percentage points, in this run and in those compared with it.",
                ),
            ],
            "robustness": [
                chrome.section(
                    "Worse photos",
                    chrome.later(self._robustness),
                    about="Aligned test faces, degraded step by step.",
                ),
            ],
            "explanation": [
                chrome.section("What the model goes by", _safely(self._heat), _safely(self._faithfulness)),
                chrome.section("Doubtful labels", _safely(self._noise)),
            ],
            "training": [
                chrome.section("Training", _safely(self._training)),
                chrome.section(
                    "What each part is worth",
                    _safely(self._ablation),
                    about="Short trainings with one thing changed, on the same validation faces.",
                ),
                chrome.section("The search for settings", _safely(self._importance), _safely(self._trials)),
            ],
        }
        return pn.Column(*sections[self.view], sizing_mode="stretch_width", margin=0, styles={"gap": "28px"})

    def content(self) -> list[Any]:
        """Give the choices, then the view that is chosen."""
        return [
            chrome.controls(chrome.choice(self.param.view)),
            pn.panel(self._choices, sizing_mode="stretch_width"),
            pn.panel(self._view, sizing_mode="stretch_width"),
        ]


def _safely(make: Any) -> Any:
    """Show later what a method makes, or which result it would need."""
    return chrome.later(lambda: chrome.attempt(make))


def _table(shown: Any) -> Any:
    html = shown.to_html(border=0, index_names=False)
    return chrome.table(html[html.index("<thead") : html.rindex("</table>")], css=_RIGHT)
