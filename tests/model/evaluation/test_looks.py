"""Looks at the test split are counted over a run and what it was trained from, on the same data."""

import shutil
from pathlib import Path

import pytest

from analysis.results import Run
from analysis.results.publish import record_step
from analysis.results.records import Data, EvaluateOptions, TrainOptions
from model.evaluation.looks import looks_at_test

DATA = {"a": "now"}


def trained(name: str, **options: object) -> Run:
    run = Run.open(name)
    record_step(run, TrainOptions(datasets=["a"], epochs=1, **options), data=seen(DATA))
    return Run.open(name)


def seen(data: dict[str, str]) -> dict[str, Data]:
    return {name: Data(fingerprint=fingerprint, images=1) for name, fingerprint in data.items()}


def evaluated(run: Run, data: dict[str, str] = DATA, *, counted: bool = True) -> None:
    options = EvaluateOptions(looks=looks_at_test(run, data)) if counted else EvaluateOptions()
    record_step(run, options, data=seen(data))


@pytest.mark.usefixtures("home")
def test_each_evaluation_counts_and_the_present_one_with_them() -> None:
    run = trained("one")
    for times in (1, 2, 3):
        assert looks_at_test(run, DATA).evaluations == {"a": {"one": times}}
        evaluated(run)
    assert looks_at_test(run, DATA).uncounted == []


@pytest.mark.usefixtures("home")
def test_ancestors_count_once_however_many_ways_lead_to_them() -> None:
    evaluated(trained("first"))
    evaluated(trained("second", start=["first"]))
    run = trained("third", start=["second"], teachers=["first", "second"])
    assert looks_at_test(run, DATA).evaluations == {"a": {"first": 1, "second": 1, "third": 1}}


@pytest.mark.usefixtures("home")
def test_evaluations_on_other_data_were_of_another_test_split() -> None:
    run = trained("one")
    evaluated(run)
    assert looks_at_test(run, {"a": "ingested anew", "b": "other"}).evaluations == {"a": {"one": 1}, "b": {"one": 1}}


def test_an_ancestor_that_is_gone_is_remembered_or_named(home: Path) -> None:
    evaluated(trained("first"))
    evaluated(trained("second", start=["first"]))
    run = trained("third", start=["second"])
    shutil.rmtree(home / "runs/first")
    found = looks_at_test(run, DATA)
    assert found.evaluations == {"a": {"first": 1, "second": 1, "third": 1}} and found.gone == []
    shutil.rmtree(home / "runs/second")
    assert looks_at_test(run, DATA).gone == ["second"]


@pytest.mark.usefixtures("home")
def test_evaluations_that_were_not_counted_are_a_lower_bound() -> None:
    run = trained("one")
    evaluated(run, counted=False)
    found = looks_at_test(run, DATA)
    assert found.evaluations == {"a": {"one": 2}} and found.uncounted == ["one"]
    evaluated(run)
    assert looks_at_test(run, DATA).uncounted == ["one"]
