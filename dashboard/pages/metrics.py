"""The page of the model's metrics."""

from typing import Any

import panel as pn
import param

from analysis.figures import metrics, training
from dashboard import frame


class MetricsPage(frame.ExplorerPage):
    """How well the model does on each split: hits and misses, calibration, ROC, scores, and how it was trained."""

    split = param.Selector(
        default="test",
        objects={"Test": "test", "Validation": "validation", "Training": "train"},
        doc="Part of the data that is measured.",
    )

    path = "/explore/metrics"
    title = "Metrics"
    lead = (
        "How often the model says what the annotators said, and how far its scores can be trusted. Only the test split "
        "was never used to make or choose the model."
    )
    in_url = ("split",)

    def found(self) -> dict[str, Any]:
        """Metrics of the split that is shown."""
        return self.results.metrics["splits"][self.split]

    @param.depends("split")
    def _facts(self) -> Any:
        def make() -> Any:
            found = self.found()
            low, high = found["accuracy_interval"]
            decided = found["decided"]
            return frame.facts(
                {
                    "Accuracy": (f"{found['accuracy']:.2%}", f"95 % interval {low:.1%} to {high:.1%}"),
                    "Balanced accuracy": f"{found['balanced_accuracy']:.2%}",
                    "Area under ROC": f"{found['roc_auc']:.4f}",
                    "Where it decides": (
                        f"{decided['accuracy']:.2%}",
                        f"right; {decided['uncertain']:,} of {found['images']:,} uncertain",
                    ),
                    "Calibration error": (f"{found['calibration']['ece']:.3f}", f"Brier score {found['brier']:.3f}"),
                }
            )

        return frame.attempt(make)

    @param.depends("split")
    def _confusion(self) -> Any:
        return frame.attempt(
            lambda: frame.figure(
                metrics.confusion_matrix(self.results.metrics, self.split),
                metrics.confusion_matrix_reading(self.results.metrics, self.split),
            )
        )

    @param.depends("split")
    def _report(self) -> Any:
        def make() -> Any:
            report = metrics.classification_report_table(self.results.metrics, self.split)
            html = report.to_html(border=0, index_names=False)
            return frame.table(
                html[html.index("<thead") : html.rindex("</table>")], css="td, thead th + th { text-align: right }"
            )

        return frame.attempt(make)

    @param.depends("split")
    def _calibration(self) -> Any:
        return frame.attempt(
            lambda: frame.figure(
                metrics.reliability_diagram(self.results.metrics, self.split),
                metrics.reliability_diagram_reading(self.results.metrics, self.split),
            )
        )

    @param.depends("split")
    def _roc(self) -> Any:
        return frame.attempt(
            lambda: frame.figure(
                metrics.roc_curve(self.results.metrics, self.split),
                metrics.roc_curve_reading(self.results.metrics, self.split),
            )
        )

    @param.depends("split")
    def _scores(self) -> Any:
        def make() -> Any:
            predictions, band = self.results.predictions, self.results.metrics["band"]
            return frame.figure(
                metrics.score_distribution(predictions, self.split, band),
                metrics.score_distribution_reading(predictions, self.split, band),
            )

        return frame.attempt(make)

    def _training(self) -> Any:
        history = self.results.history
        return frame.figure(training.training_history(history), training.training_history_reading(history))

    def content(self) -> list[Any]:
        """Give the choice of split, then everything that is measured on it, and how the model was trained."""
        return [
            frame.controls(frame.choice(self.param.split)),
            pn.panel(self._facts, sizing_mode="stretch_width"),
            frame.section("Right and wrong", frame.later(self._confusion), frame.later(self._report)),
            frame.section(
                "Calibration",
                frame.later(self._calibration),
                about="Of faces with a score of 0.8, eight in ten should be labelled male.",
            ),
            frame.section("ROC curve", frame.later(self._roc)),
            frame.section("Scores, and where the model abstains", frame.later(self._scores)),
            frame.section("Training", frame.later(lambda: frame.attempt(self._training))),
        ]
