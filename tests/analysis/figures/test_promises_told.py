"""Report, model card and explorer say by themselves where the promise about answers was kept, and where not."""

from typing import Any

import pytest
from synthetic import write_results

from analysis import figures
from analysis.results import Results
from analysis.results.records import MetricsRecord, Promise


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write_results(tmp_path_factory.mktemp("promise") / "run")


def with_decided(metrics: MetricsRecord, **changes: Any) -> MetricsRecord:
    """The same metrics with one source, whose decided test images are as given."""
    name = metrics.datasets[0]
    test = metrics.sources[name]["test"]
    split = {"test": test.changed(decided=test.decided.changed(**changes))}
    return metrics.changed(
        right_share_wanted=0.99, splits=split, sources={name: metrics.sources[name] | split}, subsets={}
    )


@pytest.mark.parametrize(
    ("accuracy", "low", "high", "said"),
    [
        (0.999, 0.993, 1.0, "- Kept with 95 % confidence: {}"),
        (0.992, 0.98, 0.999, "- Kept, though that may be chance: {}"),
        (0.992, None, None, "- Kept, though that may be chance: {}"),  # an older run
        (0.985, 0.97, 0.995, "- Missed, though that may be chance: {}"),
        (0.985, 0.97, 0.9899, "- Not kept: {}"),
        (0.9896, 0.98, 0.995, "{} (98.96 %)"),  # not 99.0 %
        (0.9891, 0.98, 0.995, "{} (98.9 %)"),
    ],
)
def test_what_became_of_the_promise_is_said(results: Results, accuracy, low, high, said: str) -> None:
    metrics = with_decided(results.metrics, accuracy=accuracy, accuracy_low=low, accuracy_high=high)
    assert said.format(metrics.datasets[0]) in figures.promise.promise_reading(metrics)


def test_nothing_decided_is_said(results: Results) -> None:
    metrics = with_decided(results.metrics, accuracy=None, accuracy_low=None, accuracy_high=None, coverage=0.0)
    assert figures.promise.promise_reading(metrics) == "None of the test images is decided."


def test_what_can_be_promised_for_whom_is_said(results: Results) -> None:
    metrics = results.metrics
    text = figures.promise.band_reading(metrics)
    assert "between 0.300 and 0.700" in text and "not sure enough" in text
    assert "With that confidence it can be promised for synthetic." in text
    assert "For other it cannot: 99.4 % of 800 answers on its validation split are right" in text
    assert "98.7 % is all that can be promised there." in text
    nothing = Promise(made="none", images=100, decided=80, right=70, at_least=0.79)
    doubtful = metrics.changed(promises={"synthetic": nothing, "other": nothing})
    text = figures.promise.band_reading(doubtful)
    assert "promised for no source" in text and "the band does not wait for it" in text
    older = figures.promise.band_reading(metrics.changed(promises={}))
    assert "confidence" not in older and older.endswith("are right in each source.")
    everyone = metrics.band.changed(low=0.5, high=0.5)
    assert figures.promise.band_reading(metrics.changed(band=everyone)).startswith("Every face is decided.")
    nobody = metrics.band.changed(low=0.0, high=1.0)
    assert figures.promise.band_reading(metrics.changed(band=nobody)).startswith("No face is decided")


def test_groups_in_which_it_was_broken_are_named(results: Results) -> None:
    text = figures.promise.groups_reading(results.promise, results.metrics)
    assert text.startswith(
        "Of 4 groups the promise was kept with 95 % confidence in 0, broken beyond chance in 1 (“predicted female” of "
        "other: 95.2 %), and in 2 kept and 1 missed within chance."
    )
    table = figures.promise.promise_table(results.promise, results.metrics)
    assert table["Promise"].to_dict() == {
        "synthetic": "kept",
        "synthetic: predicted female": "kept, within chance",
        "other": "not kept",
        "other: ages 10–80": "not kept",
        "other: predicted female": "not kept",
        "other: predicted male": "kept, within chance",
        "other: age 0–9": "–",
        "other: Asian": "missed, within chance",
    }
    both = figures.promise.splits_table(results.promise, results.metrics)
    assert both["Promise"].to_dict() == {
        "synthetic, validation": "made",
        "synthetic, test": "kept",
        "other, validation": "not with 95 % confidence",
        "other, test": "not kept",
        "other: ages 10–80, validation": "not with 95 % confidence",
        "other: ages 10–80, test": "not kept",
    }
    only_whole = results.promise[results.promise["feature"] == "all"]
    assert figures.promise.groups_reading(only_whole, results.metrics) == "No group has enough test images."
